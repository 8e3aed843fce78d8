/** `diff`: the plan of everything, from one look at the world; writes nothing anywhere. */
import { adopting } from '../../runtime/adopting.js';
import { planAll } from '../../runtime/one-shot.js';
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { lookOnce } from '../look-once.js';
import { type Format, formatted } from '../output.js';
import { planDocument, planText } from '../render-plan.js';
import type { CommandContext } from '../session.js';

export interface DiffOptions {
  readonly format: Format;
  /** Shows the plan of an apply with the same option. */
  readonly adopt: boolean;
}

export async function diff(
  context: CommandContext,
  path: string,
  { format, adopt }: DiffOptions,
): Promise<ExitCode> {
  const config = await configArgument(context, path);
  const session = (await context.host()).openSession(config);
  try {
    const { objects, renumbering } = await lookOnce(session, context.signal);
    const reconcilers = adopt ? adopting(session.reconcilers) : session.reconcilers;
    const document = planDocument(await planAll(reconcilers, objects, context.signal), renumbering);
    context.out(formatted(format, document, () => planText(document)));
    if (document.foreign.some(({ blocks }) => blocks)) return EXIT.conflict;
    return document.actions.length === 0 ? EXIT.done : EXIT.drift;
  } finally {
    session.close();
  }
}
