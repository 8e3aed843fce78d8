/** `log-level`: how much each loop of the running daemon says. */
import { ALL_LOOPS, type LogLevel } from '../../runtime/log/log-book.js';
import { askDaemon, noDaemon } from '../ask-daemon.js';
import { configArgument, socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';
import { table } from '../table.js';

/** Changes one loop's, or shows all of them. */
export async function logLevel(
  context: CommandContext,
  path: string,
  change: { readonly loop: string; readonly level: string | undefined } | undefined,
): Promise<ExitCode> {
  if (change !== undefined && change.level === undefined)
    throw new CommandError(`Cannot set the level of ${change.loop}: no level is given`, EXIT.usage);
  const socket = socketPath((await configArgument(context, path)).instance);
  const query = new URLSearchParams({ loop: change?.loop ?? '', level: change?.level ?? '' });
  const request =
    change === undefined
      ? ({ method: 'GET', path: '/log-level' } as const)
      : ({ method: 'POST', path: `/log-level?${query}` } as const);
  const reply = await askDaemon(context, socket, request);
  if (reply === undefined) throw noDaemon(socket);
  const levels = Object.entries(JSON.parse(reply.body) as Record<string, LogLevel>);
  const shown = levels.filter(
    ([loop]) => change === undefined || change.loop === ALL_LOOPS || loop === change.loop,
  );
  const [, ...lines] = table(['LOOP', 'LEVEL'], shown);
  context.out(`${lines.join('\n')}\n`);
  return EXIT.done;
}
