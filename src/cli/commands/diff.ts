/** `diff`: the plan of everything, from one look at the world; writes nothing but the file it is asked to save. */
import type { KindName } from '../../model/objects.js';
import { originsOf } from '../../model/origin.js';
import { planDocument } from '../../model/plan-document.js';
import { adopting } from '../../runtime/rounds/adopting.js';
import { planAll } from '../../runtime/rounds/one-shot.js';
import { readingArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { lookOnce } from '../look-once.js';
import { type Format, formatted, jsonText } from '../output.js';
import { planText, widePlanText } from '../render-plan.js';
import type { CommandContext } from '../session.js';

export interface DiffOptions {
  readonly format: PlanFormat;
  /** Shows the plan of an apply with the same option. */
  readonly adopt: boolean;
  /** Looks at these kinds alone. */
  readonly only?: readonly KindName[];
  /** Where to save the plan for `apply --plan`. */
  readonly out?: string;
}

/** `wide` tells of each change all that is known. */
export type PlanFormat = Format | 'wide';

export async function diff(
  context: CommandContext,
  path: string,
  { format, adopt, only, out }: DiffOptions,
): Promise<ExitCode> {
  const { config, places } = await readingArgument(context, path);
  const session = (await context.host()).openSession(config);
  try {
    const state = await lookOnce(session, context.signal);
    const reconcilers = adopt ? adopting(session.reconcilers) : session.reconcilers;
    const plans = await planAll(reconcilers, state.objects, context.signal, only);
    const set = context.settings();
    const question = {
      file: path,
      instance: config.instance.name,
      adopt,
      ...(only && { only }),
      ...(set.length > 0 && { set }),
    };
    const origins = originsOf({ config, places, store: session.access.view(), state });
    const document = planDocument(question, plans, origins, state.renumbering);
    if (out !== undefined) await context.writeText(out, jsonText(document));
    context.out(
      format === 'wide'
        ? formatted('table', document, (shown) => widePlanText(shown, context.paint))
        : formatted(format, document, (shown) => planText(shown, context.paint)),
    );
    if (document.foreign.some(({ blocks }) => blocks)) return EXIT.conflict;
    return document.actions.length === 0 ? EXIT.done : EXIT.drift;
  } finally {
    session.close();
  }
}
