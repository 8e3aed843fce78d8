/** Whoever listens on a socket of an instance, asked: its daemon, or the keeper of a trial. */
import type { StatusReport } from '../model/status.js';
import type { ControlReply, ControlRequest } from '../ports.js';
import { DeadlineError, withDeadline } from '../runtime/timing/deadline.js';
import { CommandError, EXIT } from './exit-codes.js';
import type { CommandContext } from './session.js';

const ANSWER_WITHIN_MS = 5_000;

/**
 * Undefined when nobody listens at `socket`. Rejects with NoAnswerError when whoever does says nothing; `takesMs` is what the
 * question itself may take.
 */
export async function answerAt(
  { clock, control, signal }: Pick<CommandContext, 'clock' | 'control' | 'signal'>,
  socket: string,
  request: ControlRequest,
  takesMs = 0,
): Promise<ControlReply | undefined> {
  try {
    return await withDeadline(clock, takesMs + ANSWER_WITHIN_MS, 'asking', signal, (limited) =>
      control.ask(socket, request, limited),
    );
  } catch (error) {
    throw error instanceof DeadlineError ? new NoAnswerError(socket, error) : error;
  }
}

/** Somebody listens, and does not answer. */
export class NoAnswerError extends CommandError {
  constructor(socket: string, cause: DeadlineError) {
    const message = `Whoever listens at ${socket} does not answer: is its process stopped?`;
    super(message, EXIT.failed, { cause });
  }
}

/** HTTP's Bad Request: what was asked for is nothing that there is. */
const BAD_REQUEST = 400;

/** Undefined when no daemon listens at `socket`; any answer but 200 is thrown as CommandError. */
export async function askDaemon(
  context: CommandContext,
  socket: string,
  request: ControlRequest,
  takesMs = 0,
): Promise<ControlReply | undefined> {
  const reply = await answerAt(context, socket, request, takesMs);
  if (reply === undefined || reply.status === 200) return reply;
  const exitCode = reply.status === BAD_REQUEST ? EXIT.usage : EXIT.failed;
  throw new CommandError(`The daemon answered: ${reply.body.trimEnd()}`, exitCode);
}

/** Whether a daemon is there at all, whatever it answers. */
export async function isDaemonAt(context: CommandContext, socket: string): Promise<boolean> {
  return (await answerAt(context, socket, { method: 'GET', path: '/status' })) !== undefined;
}

/** What the daemon at `socket` sees; undefined when none listens. */
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
