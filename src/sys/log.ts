/** The log, on standard error: JSON lines by pino, or lines for people. */
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import { type LogFormat, type LogLine, logLine } from '../model/log-line.js';
import type { Log } from '../ports.js';
import { screenPainter } from './colour.js';

/** `debug`: everything, for whoever chooses himself. */
export type LeastLevel = 'info' | 'debug';

const STDERR = 2;

export function systemLog(format: LogFormat, level: LeastLevel = 'info'): Log {
  const isForPeople = format === 'human' || (format === 'auto' && process.stderr.isTTY === true);
  return isForPeople ? humanLog(level) : jsonLog(level);
}

/** Written synchronously, so that the last line before an exit is not lost. */
function jsonLog(level: LeastLevel = 'info'): Log {
  return pino(
    { base: null, level, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: STDERR, sync: true }),
  );
}

function humanLog(least: LeastLevel = 'info'): Log {
  const paint = screenPainter(process.stderr);
  const say = (level: LogLine['level']) => (fields: object, message: string) =>
    writeLine(logLine({ at: new Date().toISOString(), level, message, fields: { ...fields } }, paint));
  return {
    debug: least === 'debug' ? say('debug') : () => {},
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
  };
}

/** A terminal that is gone, or takes no more just now, is no reason to end. */
function writeLine(line: string): void {
  try {
    writeSync(STDERR, line);
  } catch {
    // There is nobody to tell.
  }
}

/** For one-shot commands: what matters is in their result. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
