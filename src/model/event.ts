/** Something that has happened in a daemon. */

export type EventLevel = 'info' | 'warn' | 'error';

export interface Event {
  /** From 1, since the daemon was started. */
  readonly number: number;
  /** RFC 3339 in UTC. */
  readonly at: string;
  readonly level: EventLevel;
  /** One of few: `changed`, `condition`, `ready`. */
  readonly message: string;
  /** What it is about, as in the log: `key`, `verb`, `reason`. */
  readonly fields: Readonly<Record<string, unknown>>;
}
