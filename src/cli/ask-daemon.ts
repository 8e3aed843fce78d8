/** The daemon of an instance, asked over its socket. */
import type { StatusReport } from '../model/status.js';
import type { ControlReply, ControlRequest } from '../ports.js';
import { withDeadline } from '../runtime/deadline.js';
import { CommandError, EXIT } from './exit-codes.js';
import type { CommandContext } from './session.js';

const ANSWER_WITHIN_MS = 5_000;

/** Undefined when no daemon answers at `socket`; any answer but 200 is thrown as CommandError. */
export async function askDaemon(
  { clock, control, signal }: CommandContext,
  socket: string,
  request: ControlRequest,
): Promise<ControlReply | undefined> {
  const reply = await withDeadline(clock, ANSWER_WITHIN_MS, 'asking the daemon', signal, (limited) =>
    control.ask(socket, request, limited),
  );
  if (reply === undefined || reply.status === 200) return reply;
  throw new CommandError(`The daemon answered: ${reply.body.trimEnd()}`, EXIT.failed);
}

/** What the daemon at `socket` sees; undefined when none answers. */
export async function statusAt(context: CommandContext, socket: string): Promise<StatusReport | undefined> {
  const reply = await askDaemon(context, socket, { method: 'GET', path: '/status' });
  return reply && (JSON.parse(reply.body) as StatusReport);
}

export function noDaemon(socket: string): CommandError {
  return new CommandError(
    `No daemon answers at ${socket}: start one with \`flannelette run\``,
    EXIT.notReady,
  );
}
