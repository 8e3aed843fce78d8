/** `events`: what has happened in the running daemon, and with -f what happens. */
import type { Event } from '../../model/event.js';
import { logLine } from '../../model/log-line.js';
import { askDaemon, noDaemon } from '../ask-daemon.js';
import { configArgument, socketPath } from '../config-argument.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import type { CommandContext } from '../session.js';

export interface EventsOptions {
  readonly format: 'table' | 'json';
  /** Goes on until the signal aborts. */
  readonly follow: boolean;
}

/** How long one question may wait for an answer; then it is asked again. */
const WAIT_MS = 20_000;

export async function events(
  context: CommandContext,
  path: string,
  { format, follow }: EventsOptions,
): Promise<ExitCode> {
  const { instance } = await configArgument(context, path);
  const socket = socketPath(instance);
  let [after, waitMs] = [0, 0];
  do {
    const query = new URLSearchParams({ after: `${after}`, waitMs: `${waitMs}` });
    const request = { method: 'GET', path: `/events?${query}` } as const;
    const reply = await askDaemon(context, socket, request, waitMs);
    if (reply === undefined) throw noDaemon(socket);
    const told = JSON.parse(reply.body) as readonly Event[];
    for (const event of told)
      context.out(format === 'json' ? `${JSON.stringify(event)}\n` : logLine(event, context.paint));
    after = told.at(-1)?.number ?? after;
    waitMs = WAIT_MS;
  } while (follow);
  return EXIT.done;
}
