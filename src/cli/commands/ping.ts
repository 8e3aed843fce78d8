/** `ping`: another host through the layers, naming the first that fails. */
import type { Painter } from '../../model/paint.js';
import type { LayerReport, PingOutcome } from '../../runtime/looking/layered-ping.js';
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { type Format, formatted } from '../output.js';
import { whileShown } from '../progress.js';
import type { CommandContext } from '../session.js';
import { LAYER_COLOURS } from '../state-colours.js';
import { table } from '../table.js';

export interface PingDocument {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'Ping';
  readonly host: string;
  readonly layers: readonly LayerReport[];
  /** Absent when none fails. */
  readonly firstToFail?: LayerReport['layer'];
}

export async function ping(
  context: CommandContext,
  path: string,
  { host, format }: { readonly host: string; readonly format: Format },
): Promise<ExitCode> {
  const config = await configArgument(context, path);
  const tools = await context.tools();
  const layers = await whileShown(context, `Looking for ${host}`, () => tools.ping(config, host));
  const firstToFail = layers.find(({ outcome }) => outcome === 'failed')?.layer;
  const document: PingDocument = {
    apiVersion: 'flannelette/v1',
    kind: 'Ping',
    host,
    layers,
    ...(firstToFail !== undefined && { firstToFail }),
  };
  context.out(formatted(format, document, (shown) => pingText(shown, context.paint)));
  return firstToFail === undefined ? EXIT.done : EXIT.ailing;
}

function pingText({ host, layers, firstToFail }: PingDocument, paint: Painter): string {
  const rows = layers.map(({ layer, outcome, detail }) => [layer, outcome, detail]);
  const OUTCOME = (outcome: string) => {
    const colour = LAYER_COLOURS[outcome as PingOutcome];
    return colour === undefined ? outcome : paint(colour, outcome);
  };
  const [, ...lines] = table(['LAYER', 'OUTCOME', 'DETAIL'], rows, { OUTCOME });
  const last =
    firstToFail === undefined
      ? `${host} is ${paint('green', 'reached')}`
      : `${host} is ${paint('red', 'not reached')}: the ${firstToFail} fails first`;
  return `${[...lines, '', last].join('\n')}\n`;
}
