/** `ping`: another host through the layers, naming the first that fails. */
import type { LayerReport } from '../../runtime/looking/layered-ping.js';
import { configArgument } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { type Format, formatted } from '../output.js';
import { whileShown } from '../progress.js';
import type { CommandContext } from '../session.js';
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
  context.out(formatted(format, document, () => pingText(document)));
  return firstToFail === undefined ? EXIT.done : EXIT.ailing;
}

function pingText({ host, layers, firstToFail }: PingDocument): string {
  const rows = layers.map(({ layer, outcome, detail }) => [layer, outcome, detail]);
  const [, ...lines] = table(['LAYER', 'OUTCOME', 'DETAIL'], rows);
  const last =
    firstToFail === undefined
      ? `${host} is reached`
      : `${host} is not reached: the ${firstToFail} fails first`;
  return `${[...lines, '', last].join('\n')}\n`;
}
