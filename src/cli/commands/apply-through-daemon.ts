/** `apply` where a daemon runs: it is the one that does it. */
import type { Config } from '../../model/config.js';
import type { ControlReply } from '../../ports.js';
import { answerAt, isDaemonAt, NoAnswerError } from '../ask-daemon.js';
import { socketPath } from '../config-argument.js';
import { CommandError, EXIT, type ExitCode } from '../exit-codes.js';
import type { ApplyResult } from '../render-apply.js';
import type { CommandContext } from '../session.js';

export interface DaemonApplyOptions {
  readonly timeoutMs: number;
  readonly allowRenumber: boolean;
}

/** HTTP status → what it is to the operator. */
const REFUSALS: Readonly<Record<number, ExitCode>> = {
  409: EXIT.held,
  422: EXIT.invalidConfig,
  503: EXIT.storeUnreachable,
};

/** A running daemon reads its own file again and converges; undefined when none runs. */
export async function applyThroughDaemon(
  context: CommandContext,
  { instance }: Config,
  path: string,
  { timeoutMs, allowRenumber }: DaemonApplyOptions,
): Promise<ApplyResult | undefined> {
  const query = new URLSearchParams({ file: path, timeoutMs: String(timeoutMs) });
  if (allowRenumber) query.set('allowRenumber', 'true');
  const reply = await ordered(context, socketPath(instance), `/apply?${query}`, timeoutMs);
  if (reply === undefined) return undefined;
  if (reply.status !== 200) {
    const exitCode = REFUSALS[reply.status];
    const message = reply.body.trimEnd();
    if (exitCode !== undefined) throw new CommandError(message, exitCode);
    throw new CommandError(`The daemon could not apply: ${message}`, EXIT.failed);
  }
  return JSON.parse(reply.body) as ApplyResult;
}

/** Throws CommandError when a daemon runs: it follows its file by itself, and `what` is not in that. */
export async function requireNoDaemon(
  context: CommandContext,
  { instance }: Config,
  what: string,
): Promise<void> {
  if (!(await isDaemonAt(context, socketPath(instance)))) return;
  throw new CommandError(
    `Cannot ${what} while the daemon runs: stop it, apply, and start it again`,
    EXIT.held,
  );
}

/** It ends by itself at the time-out; one that is stopped or stuck would not. */
async function ordered(
  context: CommandContext,
  socket: string,
  path: string,
  timeoutMs: number,
): Promise<ControlReply | undefined> {
  try {
    return await answerAt(context, socket, { method: 'POST', path }, timeoutMs);
  } catch (error) {
    if (!(error instanceof NoAnswerError)) throw error;
    const message = `The daemon at ${socket} took the order and does not answer: is its process stopped?`;
    throw new CommandError(message, EXIT.converging, { cause: error });
  }
}
