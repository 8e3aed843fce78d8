/** `apply`: plan, do, verify, once. Where a daemon runs, it is the one that does it. */

import { readingArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { type Format, formatted } from '../output.js';
import { whileShown } from '../progress.js';
import { type ApplyResult, applyDocument, applyText } from '../render-apply.js';
import { savedPlan } from '../saved-plan.js';
import type { CommandContext } from '../session.js';
import { type ApplyQuestion, applyOnce } from './apply-once.js';
import { applyThroughDaemon, requireNoDaemon } from './apply-through-daemon.js';

export interface ApplyOptions extends Omit<ApplyQuestion, 'saved'> {
  readonly format: Format;
  /** Path of a saved plan: exactly that is done, with the file, the kinds and the adoption that it was made with. */
  readonly plan?: string;
}

export async function apply(context: CommandContext, path: string, options: ApplyOptions): Promise<ExitCode> {
  const saved = options.plan === undefined ? undefined : await savedPlan(context, options.plan);
  const question: ApplyQuestion =
    saved === undefined
      ? options
      : // Whoever carries out a plan has seen what it says of the subnet.
        {
          ...options,
          adopt: saved.adopt,
          allowRenumber: true,
          saved,
          ...(saved.only && { only: saved.only }),
        };
  const file = saved?.file ?? path;
  const reading = await readingArgument(context, file);
  const { config } = reading;
  const host = await context.host();
  await host.requirePrivileges(config);
  const beyondDaemon =
    (saved && 'apply a saved plan') ??
    (question.only && 'apply a part') ??
    (question.adopt ? 'adopt' : undefined) ??
    // It has settings of its own.
    (context.settings().length > 0 ? 'apply with --set' : undefined);
  if (beyondDaemon !== undefined) await requireNoDaemon(context, config, beyondDaemon);
  else {
    const throughDaemon = () => applyThroughDaemon(context, config, file, question);
    const result = await whileShown(context, APPLYING, throughDaemon);
    if (result !== undefined) return report(context, options.format, result);
  }
  const once = () => applyOnce(context, host, { ...reading, file }, question);
  return report(context, options.format, await whileShown(context, APPLYING, once));
}

const APPLYING = 'Applying';

const EXIT_CODES: Readonly<Record<ApplyResult['outcome'], ExitCode>> = {
  converged: EXIT.done,
  undecided: EXIT.failed,
  refused: EXIT.conflict,
  conflict: EXIT.conflict,
  failed: EXIT.failed,
  'timed out': EXIT.converging,
};

function report(context: CommandContext, format: Format, result: ApplyResult): ExitCode {
  const document = applyDocument(result);
  context.out(formatted(format, document, (shown) => applyText(shown, context.paint)));
  if (document.message !== '') context.err(`${document.message}\n`);
  if (result.rollback === undefined) return EXIT_CODES[result.outcome];
  if (result.rollback.problems.length > 0) return EXIT.rollbackFailed;
  return result.outcome === 'failed' ? EXIT.rolledBack : EXIT_CODES[result.outcome];
}
