/** What has happened as one line for people: `events`, and the log on a terminal. */
import type { EventLevel } from './event.js';
import { type Colour, type Painter, plain } from './paint.js';
import { printable } from './printable.js';

/** `auto`: for people on a terminal, JSON anywhere else. */
export const LOG_FORMATS = ['auto', 'json', 'human'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogLine {
  /** RFC 3339 in UTC. */
  readonly at: string;
  readonly level: EventLevel | 'debug';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Ends with a line feed; whatever others have put into it is shown, and steers no terminal. */
export function logLine({ at, level, message, fields }: LogLine, paint: Painter = plain): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  const colour = LEVEL_COLOURS[level];
  const word = level.padEnd(5);
  const told = [message, ...words].join('  ');
  return `${printable(at)}  ${colour === undefined ? word : paint(colour, word)}  ${printable(told)}\n`;
}

const LEVEL_COLOURS: Readonly<Partial<Record<LogLine['level'], Colour>>> = { warn: 'yellow', error: 'red' };

function valueText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
