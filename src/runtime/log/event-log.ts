/** What the log tells, kept for whoever asks the daemon: `events`. The last of it; older ones make room. No secret is kept. */
import type { Event, EventLevel } from '../../model/event.js';
import { redacted } from '../../model/redacted.js';
import type { Clock, Log } from '../../ports.js';
import { Wake } from '../timing/wake.js';

/** A day of a quiet host, some minutes of one on which everything fails. */
const KEPT = 1_000;

export class EventLog implements Log {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #kept: Event[] = [];
  readonly #waiting = new Set<() => void>();
  #told = 0;

  /** Hands on to `log` what it is told. */
  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Not kept: nobody who asks what has happened means this. */
  debug(fields: object, message: string): void {
    this.#log.debug(fields, message);
  }

  info(fields: object, message: string): void {
    this.#log.info(fields, message);
    this.#keep('info', fields, message);
  }

  warn(fields: object, message: string): void {
    this.#log.warn(fields, message);
    this.#keep('warn', fields, message);
  }

  error(fields: object, message: string): void {
    this.#log.error(fields, message);
    this.#keep('error', fields, message);
  }

  #keep(level: EventLevel, fields: object, message: string): void {
    const at = new Date(this.#clock.now()).toISOString();
    this.#kept.push({ number: ++this.#told, at, level, message, fields: { ...redacted(fields) } });
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const wake of this.#waiting) wake();
  }

  /** Those after number `after`, the oldest first. */
  after(after: number): readonly Event[] {
    return this.#kept.filter(({ number }) => number > after);
  }

  /** The same, and when there is none yet, waits for one, `ms` at most. Rejects on abort. */
  async next(after: number, ms: number, signal: AbortSignal): Promise<readonly Event[]> {
    if (this.#told > after) return this.after(after);
    const told = new Wake();
    this.#waiting.add(told.wake);
    try {
      await told.wait(this.#clock, ms, signal);
    } finally {
      this.#waiting.delete(told.wake);
    }
    return this.after(after);
  }
}
