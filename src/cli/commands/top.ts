/** `top`: what each peer sends and gets, live. */
import { printableDocument } from '../../model/printable.js';
import { noDaemon, statusAt } from '../ask-daemon.js';
import { configArgument, socketPath } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { FROM_THE_TOP } from '../output.js';
import { topText } from '../render-top.js';
import type { CommandContext } from '../session.js';

export interface TopOptions {
  readonly everyMs: number;
  /** How often it is shown; absent: until the signal aborts. */
  readonly count?: number;
}

export async function top(
  context: CommandContext,
  path: string,
  { everyMs, count = Number.POSITIVE_INFINITY }: TopOptions,
): Promise<ExitCode> {
  const socket = socketPath((await configArgument(context, path)).instance);
  const look = async () => {
    const report = await statusAt(context, socket);
    if (report === undefined) throw noDaemon(socket);
    return { report, atMs: context.clock.boottimeMs() };
  };
  let before = await look();
  for (let shown = 0; shown < count; shown++) {
    await context.clock.sleep(everyMs, context.signal);
    const after = await look();
    const seconds = Math.max(1, after.atMs - before.atMs) / 1000;
    const [earlier, later] = printableDocument([before.report, after.report] as const);
    const text = topText(earlier, later, seconds, context.paint);
    context.out(context.isTerminal ? `${FROM_THE_TOP}${text}` : text);
    before = after;
  }
  return EXIT.done;
}
