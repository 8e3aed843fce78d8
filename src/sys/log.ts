/** The log: JSON lines on standard error, by pino. */
import { pino } from 'pino';
import type { Log } from '../ports.js';

/** Written synchronously, so that the last line before an exit is not lost. `debug`: everything, for whoever chooses himself. */
export function jsonLog(level: 'info' | 'debug' = 'info'): Log {
  return pino(
    { base: null, level, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** For one-shot commands: what matters is in their result. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
