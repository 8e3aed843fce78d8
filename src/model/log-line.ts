/** What has happened as one line for people: `events`, and the log on a terminal. */
import type { EventLevel } from './event.js';
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
export function logLine({ at, level, message, fields }: LogLine): string {
  const words = Object.entries(fields).map(([name, value]) => `${name}=${valueText(value)}`);
  return `${printable([at, level.padEnd(5), message, ...words].join('  '))}\n`;
}

function valueText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}
