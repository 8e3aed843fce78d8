/** What `try` has on trial: this host by the keeper's own apply, or a daemon's file. */
import type { Config } from '../model/config.js';
import { asError, NEVER } from '../ports.js';
import type { TrialFailure, TrialSubject } from '../runtime/rollback/trial.js';
import { planAll } from '../runtime/rounds/one-shot.js';
import { withDeadline } from '../runtime/timing/deadline.js';
import {
  type AppliedFile,
  type ApplyQuestion,
  applyAndHold,
  applyOnce,
  type HeldApply,
} from './commands/apply-once.js';
import { applyThroughDaemon } from './commands/apply-through-daemon.js';
import { readingArgument } from './config-argument.js';
import { lookOnce } from './look-once.js';
import type { CommandContext, HostAccess } from './session.js';
import { TrialFile } from './trial-file.js';

export interface TrialQuestion extends Pick<ApplyQuestion, 'timeoutMs' | 'adopt' | 'allowRenumber'> {
  /** Another file, whose text takes the place of the configuration. */
  readonly candidate?: string;
}

/** So long it may take to bring everything back. */
const REVERT_MS = 30_000;
/** The daemon takes it for as long as it is given, and answers then. */
const REVERT_WITHIN_MS = 2 * REVERT_MS + 10_000;

/** Nobody follows the file: what is changed here is put back as it was found. */
export function hostSubject(
  context: CommandContext,
  host: HostAccess,
  applied: AppliedFile,
  question: TrialQuestion,
): TrialSubject {
  const file = new TrialFile(context, applied.file);
  let held: HeldApply | undefined;
  const undo = async (): Promise<readonly string[]> => {
    const problems = await attempted(async () => (await held?.rollBack())?.problems ?? []);
    held?.close();
    const putBack = async () => {
      await file.undo();
      return [];
    };
    return [...problems, ...(await attempted(putBack))];
  };
  return {
    file: applied.file,
    async apply(): Promise<TrialFailure | undefined> {
      try {
        if (question.candidate !== undefined) await file.swap(question.candidate);
        held = await applyAndHold(context, host, applied, question);
      } catch (error) {
        return { message: asError(error).message, problems: await undo() };
      }
      if (held.result.outcome === 'converged') return undefined;
      return { message: held.result.message, problems: await undo() };
    },
    revert: undo,
    async keep() {
      held?.close();
      await file.keep();
    },
  };
}

/** A daemon follows the file: with the former text there it brings everything back, and where it has died we do. */
export function daemonSubject(
  context: CommandContext,
  host: HostAccess,
  applied: AppliedFile,
  question: TrialQuestion & { readonly candidate: string },
): TrialSubject {
  const { file: path, config } = applied;
  const file = new TrialFile(context, path);
  const bringBack = async (lasting: CommandContext): Promise<readonly string[]> => {
    const before = await readingArgument(lasting, path);
    const how = { timeoutMs: REVERT_MS, adopt: false, allowRenumber: true };
    const { outcome, message } =
      (await applyThroughDaemon(lasting, before.config, path, how)) ??
      (await applyOnce(lasting, host, { ...before, file: path }, how));
    return outcome === 'converged' ? [] : [message];
  };
  const undo = () =>
    attempted(async () => {
      await file.undo();
      // The keeper may have been told to stop: taking back is what it stops with.
      return withDeadline(context.clock, REVERT_WITHIN_MS, 'taking back', NEVER, (signal) =>
        bringBack({ ...context, signal }),
      );
    });
  return {
    file: path,
    async apply(): Promise<TrialFailure | undefined> {
      try {
        await rehearse(context, host, config);
        await file.swap(question.candidate);
        const result = await applyThroughDaemon(context, config, path, question);
        if (result?.outcome === 'converged') return undefined;
        return { message: result?.message ?? 'The daemon is gone', problems: await undo() };
      } catch (error) {
        return { message: asError(error).message, problems: await undo() };
      }
    },
    revert: undo,
    keep: () => file.keep(),
  };
}

/** What taking back without the daemon will need is loaded, and has run once, before anything is changed: it has a second. */
async function rehearse(context: CommandContext, host: HostAccess, config: Config): Promise<void> {
  const session = host.openSession(config);
  try {
    const { objects } = await lookOnce(session, context.signal);
    await planAll(session.reconcilers, objects, context.signal);
  } catch {
    // What is amiss the change itself will tell.
  } finally {
    session.close();
  }
}

/** Whatever it is that cannot be taken back, the rest is. */
async function attempted(step: () => Promise<readonly string[]>): Promise<readonly string[]> {
  try {
    return await step();
  } catch (error) {
    return [asError(error).message];
  }
}
