/** `apply`: plan, do, verify, once. Where a daemon runs, it is the one that does it. */
import type { Config } from '../../model/config.js';
import { type DesiredState, isDecided, type Undecided } from '../../model/desired.js';
import type { PlannedAction } from '../../model/objects.js';
import type { ActionResult } from '../../model/plan.js';
import { consentText } from '../../model/renumbering.js';
import { type ControlReply, StoreUnavailableError } from '../../ports.js';
import { adopting } from '../../runtime/adopting.js';
import { DeadlineError, withDeadline } from '../../runtime/deadline.js';
import { type Convergence, converge, obstaclesText } from '../../runtime/one-shot.js';
import { configArgument, socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import { type Format, formatted } from '../output.js';
import { actionLine } from '../render-plan.js';
import type { CommandContext, Session } from '../session.js';

export interface ApplyOptions {
  readonly format: Format;
  readonly timeoutMs: number;
  /** Takes over what flannel has left on the host. */
  readonly adopt: boolean;
  /** Takes another subnet than the one that this host has in use, where one is wanted. */
  readonly allowRenumber: boolean;
}

/** What was done, and what came of it. */
export interface ApplyDocument {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'ApplyResult';
  readonly outcome: Convergence['outcome'];
  readonly message: string;
  readonly actions: readonly (PlannedAction & { readonly outcome: string; readonly error?: string })[];
}

export async function apply(context: CommandContext, path: string, options: ApplyOptions): Promise<ExitCode> {
  const config = await configArgument(context, path);
  const host = await context.host();
  await host.requirePrivileges(config);
  const viaDaemon = await applyThroughDaemon(context, config, path, options);
  if (viaDaemon !== undefined) return viaDaemon;

  const lock = host.lock(config);
  const session = host.openSession(config);
  try {
    await readUntil(context, session, options.timeoutMs);
    const actions: ApplyDocument['actions'][number][] = [];
    const convergence = await converge(
      {
        reconcilers: options.adopt ? adopting(session.reconcilers) : session.reconcilers,
        desired: () => agreed(session.inputs.state(), options.allowRenumber),
        clock: context.clock,
        timeoutMs: options.timeoutMs,
        onAction: (action, { outcome, error }) => {
          actions.push({ ...action, outcome, ...(error && { error: error.message }) });
        },
      },
      context.signal,
    );
    const message = messageOf(convergence, session.inputs.state(), config);
    report(context, options.format, { outcome: convergence.outcome, message, actions });
    return EXIT_CODES[convergence.outcome];
  } finally {
    session.close();
    lock.release();
  }
}

/** `state`, unless it wants another subnet that neither the file's rule nor the operator has said yes to. */
function agreed(state: DesiredState | Undecided, allowRenumber: boolean): DesiredState | Undecided {
  const change = isDecided(state) ? state.renumbering : undefined;
  if (!change?.needsConsent || allowRenumber) return state;
  return { waitsFor: 'renumbering', reason: consentText(change), needsConsent: true };
}

const EXIT_CODES: Readonly<Record<Convergence['outcome'], ExitCode>> = {
  converged: EXIT.done,
  undecided: EXIT.failed,
  refused: EXIT.conflict,
  conflict: EXIT.conflict,
  failed: EXIT.failed,
  'timed out': EXIT.converging,
};

/** HTTP status → what it is to the operator. */
const REFUSALS: Readonly<Record<number, ExitCode>> = {
  409: EXIT.held,
  422: EXIT.invalidConfig,
  503: EXIT.storeUnreachable,
};

/** A running daemon reads its own file again and converges; undefined when none runs. */
async function applyThroughDaemon(
  context: CommandContext,
  config: Config,
  path: string,
  { format, timeoutMs, adopt, allowRenumber }: ApplyOptions,
): Promise<ExitCode | undefined> {
  if (adopt) {
    const answer = await context.control.ask(
      socketPath(config.instance),
      { method: 'GET', path: '/status' },
      context.signal,
    );
    if (answer === undefined) return undefined;
    const message = 'Cannot adopt while the daemon runs: stop it, apply with --adopt, and start it again';
    throw new CommandError(message, EXIT.held);
  }
  const query = new URLSearchParams({ file: path, timeoutMs: String(timeoutMs) });
  if (allowRenumber) query.set('allowRenumber', 'true');
  const reply = await askDaemon(context, socketPath(config.instance), `/apply?${query}`, timeoutMs);
  if (reply === undefined) return undefined;
  if (reply.status !== 200) {
    const exitCode = REFUSALS[reply.status];
    const message = reply.body.trimEnd();
    if (exitCode !== undefined) throw new CommandError(message, exitCode);
    throw new CommandError(`The daemon could not apply: ${message}`, EXIT.failed);
  }
  const document = JSON.parse(reply.body) as ApplyDocument;
  report(context, format, document);
  return EXIT_CODES[document.outcome];
}

/** It ends by itself at the time-out; one that is stopped or stuck would not. */
async function askDaemon(
  { clock, signal, control }: CommandContext,
  socket: string,
  path: string,
  timeoutMs: number,
): Promise<ControlReply | undefined> {
  try {
    return await withDeadline(clock, timeoutMs + ANSWER_WITHIN_MS, 'asking the daemon', signal, (limited) =>
      control.ask(socket, { method: 'POST', path }, limited),
    );
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    const message = `The daemon at ${socket} took the order and does not answer: is its process stopped?`;
    throw new CommandError(message, EXIT.converging, { cause: error });
  }
}

const ANSWER_WITHIN_MS = 5_000;

/** A store that is just starting is worth waiting for. */
async function readUntil(
  context: CommandContext,
  { access, inputs }: Session,
  timeoutMs: number,
): Promise<void> {
  const { clock, signal } = context;
  const deadline = clock.boottimeMs() + timeoutMs;
  for (;;) {
    try {
      await access.refresh(signal);
      await inputs.observeHost();
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || clock.boottimeMs() >= deadline) throw error;
      await clock.sleep(RETRY_AFTER_MS, signal);
    }
  }
}

const RETRY_AFTER_MS = 500;

function messageOf(convergence: Convergence, state: DesiredState | Undecided, config: Config): string {
  switch (convergence.outcome) {
    case 'converged':
      return afterword(state, config);
    case 'undecided':
    case 'refused':
      return `Nothing was changed: ${convergence.undecided.reason}`;
    case 'conflict':
      return obstaclesText('conflict', convergence.conflicts);
    case 'failed': {
      const reasonOf = ({ error }: ActionResult) => error?.message ?? 'no reason given';
      const failures = convergence.failures.map((failure) => ({
        key: failure.key,
        reason: reasonOf(failure),
      }));
      return obstaclesText('failed', failures);
    }
    case 'timed out':
      return 'Still converging at the time-out';
  }
}

/** Where packets are carried by the daemon alone, say so before somebody wonders. */
function afterword(state: DesiredState | Undecided, config: Config): string {
  if (!isDecided(state) || !state.hasPacketLoop) return '';
  const hours = config.store.type === 'etcd' ? config.store.leaseTtlSeconds / 3600 : undefined;
  const within =
    hours === undefined ? '' : `, and within ${Number(hours.toFixed(2))} h, or the lease expires`;
  return `In place. Backend ${state.network.backend.type} forwards nothing until \`flannelette run\` is started on this host${within}`;
}

function report(
  context: CommandContext,
  format: Format,
  { outcome, message, actions }: Pick<ApplyDocument, 'outcome' | 'message' | 'actions'>,
): void {
  const document: ApplyDocument = {
    apiVersion: 'flannelette/v1',
    kind: 'ApplyResult',
    outcome,
    message,
    actions,
  };
  context.out(
    formatted(format, document, () => {
      // As wide as `diff` has it: the same operation is the same line in both.
      const width = Math.max(0, ...actions.map(({ key }) => key.length));
      const lines = actions.map((action) => {
        const line = actionLine(action, width);
        return action.outcome === 'failed' ? `${line}: ${action.error}` : line;
      });
      lines.push(`Apply: ${actions.filter((action) => action.outcome === 'done').length} done, ${outcome}`);
      return `${lines.join('\n')}\n`;
    }),
  );
  if (message !== '') context.err(`${message}\n`);
}
