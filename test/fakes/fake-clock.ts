/** Time that passes when the test says so. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/ports.js';

/** An arbitrary moment, so that wall clock and time since boot cannot be mistaken for each other. */
const BOOTED_AT_MS = 1_700_000_000_000;

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #wallOffsetMs = BOOTED_AT_MS;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  boottimeMs(): number {
    return this.#nowMs;
  }

  /** How many wait. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      const sleeper: Sleeper = {
        dueMs: this.#nowMs + ms,
        wake: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Sets the wall clock on or back; nobody's sleep changes. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** The machine sleeps for `ms`: nobody acts meanwhile, and whoever is due by then wakes afterwards. */
  async suspend(ms: number): Promise<void> {
    this.#nowMs += ms;
    await this.advance(0);
  }

  /** Lets `ms` pass: each sleeper wakes at its own time and acts before the next one does. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settle();
    for (;;) {
      const [next] = [...this.#sleepers].sort((left, right) => left.dueMs - right.dueMs);
      if (next === undefined || next.dueMs > end) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#sleepers.delete(next);
      next.wake();
      await settle();
    }
    this.#nowMs = end;
  }
}

/** Everything that can happen without time passing has happened. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}
