/** `explain OBJECT`: why an object is there, by the daemon where one runs, else by a look of our own. */
import type { ConfigPlaces } from '../../model/config-places.js';
import type { Explanation } from '../../model/explanation.js';
import { explainObject } from '../../runtime/looking/explain-object.js';
import { answerAt } from '../ask-daemon.js';
import { readingArgument, socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import { lookOnce } from '../look-once.js';
import { type Format, formatted } from '../output.js';
import { explanationText } from '../render-explanation.js';
import type { CommandContext } from '../session.js';

/** Kinds and names stand apart by a colon, which no key of the file has. */
export function isObjectName(text: string): boolean {
  return text.includes(':');
}

export async function explainObjectNamed(
  context: CommandContext,
  path: string,
  name: string,
  format: Format,
): Promise<ExitCode> {
  const { config, places } = await readingArgument(context, path);
  const request = { method: 'GET', path: `/explain?${new URLSearchParams({ key: name })}` } as const;
  const reply = await answerAt(context, socketPath(config.instance), request);
  if (reply !== undefined && reply.status !== 200 && reply.status !== 404)
    throw new CommandError(`The daemon answered: ${reply.body.trimEnd()}`, EXIT.failed);
  const explanation =
    reply === undefined
      ? await ownLook(context, path, name)
      : reply.status === 200
        ? placed(JSON.parse(reply.body) as Explanation, places)
        : undefined;
  if (explanation === undefined)
    throw new CommandError(
      `Cannot explain "${name}": there is no such object, wanted or found; \`flannelette status\` and \`diff\` name them`,
      EXIT.usage,
    );
  context.out(formatted(format, explanation, (shown) => explanationText(shown, context.paint)));
  return EXIT.done;
}

async function ownLook(
  context: CommandContext,
  path: string,
  name: string,
): Promise<Explanation | undefined> {
  const { config, places } = await readingArgument(context, path);
  const session = (await context.host()).openSession(config);
  try {
    const state = await lookOnce(session, context.signal);
    const { access, reconcilers } = session;
    const sources = { config, places, store: access.view(), state, reconcilers };
    return await explainObject(name, sources, context.signal);
  } finally {
    session.close();
  }
}

/** The daemon knows what the file says, but not on which line. */
function placed(explanation: Explanation, places: ConfigPlaces): Explanation {
  const { origin } = explanation;
  if (origin?.config === undefined) return explanation;
  const config = { ...origin.config, ...places(origin.config.key) };
  return { ...explanation, origin: { ...origin, config } };
}
