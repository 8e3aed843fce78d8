/** The log: JSON lines on standard error, by pino. */
import { pino } from 'pino';
import type { Log } from '../ports.js';

/** Written synchronously, so that the last line before an exit is not lost. */
export function jsonLog(): Log {
  return pino(
    { base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** For one-shot commands: what matters is in their result. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
