/** Holds back what the store tells of a key that changes all the time: its last word comes through, the others cost nothing. */
import type { StoreEvent } from '../../ports.js';

/** So many changes of a key come through at once, */
export const BURST = 4;
/** and then one in each such time: two a second. */
export const EVERY_MS = 500;

interface Passed {
  /** When it would have been told all, had each change had its time. */
  readonly paidUntilMs: number;
  readonly revision: bigint;
}

export class EventDamper {
  /** The key that changed last comes last. */
  readonly #passed = new Map<string, Passed>();
  readonly #held = new Map<string, StoreEvent>();

  /** Those of `events` that are to be applied now. The others are held, the newest of each key. */
  pass(events: readonly StoreEvent[], nowMs: number): readonly StoreEvent[] {
    this.#forgetQuiet(nowMs);
    return events.filter((event) => {
      const key = keyOf(event);
      const held = this.#held.get(key);
      const known = held === undefined ? this.#passed.get(key)?.revision : revisionOf(held);
      // A line that repeats or reorders tells nothing new.
      if (known !== undefined && revisionOf(event) <= known) return false;
      if (held === undefined && this.#dueOf(key) <= nowMs) {
        this.#note(event, nowMs);
        return true;
      }
      this.#held.set(key, event);
      return false;
    });
  }

  /** When the next of what is held may be applied; undefined when nothing is. */
  get dueMs(): number | undefined {
    const dues = [...this.#held.keys()].map((key) => this.#dueOf(key));
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  /** What was held for long enough; it is held no more. */
  release(nowMs: number): readonly StoreEvent[] {
    const due = [...this.#held.values()].filter((event) => this.#dueOf(keyOf(event)) <= nowMs);
    for (const event of due) {
      this.#held.delete(keyOf(event));
      this.#note(event, nowMs);
    }
    return due;
  }

  /** The store has another history: what is held is none of it, and its revisions begin anew. */
  forget(): void {
    this.#held.clear();
    this.#passed.clear();
  }

  #dueOf(key: string): number {
    return (this.#passed.get(key)?.paidUntilMs ?? 0) - (BURST - 1) * EVERY_MS;
  }

  #note(event: StoreEvent, nowMs: number): void {
    const key = keyOf(event);
    const paidUntilMs = Math.max(this.#passed.get(key)?.paidUntilMs ?? 0, nowMs) + EVERY_MS;
    this.#passed.delete(key);
    this.#passed.set(key, { paidUntilMs, revision: revisionOf(event) });
  }

  #forgetQuiet(nowMs: number): void {
    for (const [key, { paidUntilMs }] of this.#passed) {
      if (paidUntilMs > nowMs) return;
      this.#passed.delete(key);
    }
  }
}

function keyOf(event: StoreEvent): string {
  return event.type === 'put' ? event.entry.key : event.key;
}

function revisionOf(event: StoreEvent): bigint {
  return event.type === 'put' ? event.entry.modRevision : event.modRevision;
}
