/**
 * Passes on what comes. A few in a row go at once each; when they keep coming, what comes within a while goes together at
 * the end of it. So a lone change waits for nothing, and a hundred in a second are worked through ten times, not a hundred.
 */
import type { Clock } from '../../ports.js';

/** So many go at once before the first must wait; one more after each gap. */
const AT_ONCE = 10;

export class Gathering<Item> {
  readonly #clock: Clock;
  readonly #gapMs: number;
  readonly #pass: (items: readonly Item[]) => void;
  readonly #signal: AbortSignal;
  #waiting: Item[] = [];
  #isPausing = false;
  /** When all may go at once again that may at most (the generic cell rate algorithm, ITU-T I.371). */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** Once `signal` aborts, what has not been passed on never is. */
  constructor(clock: Clock, gapMs: number, pass: (items: readonly Item[]) => void, signal: AbortSignal) {
    this.#clock = clock;
    this.#gapMs = gapMs;
    this.#pass = pass;
    this.#signal = signal;
  }

  add(items: readonly Item[]): void {
    for (const item of items) this.#waiting.push(item);
    if (this.#isPausing) return;
    if (this.#fullAtMs - this.#clock.boottimeMs() <= (AT_ONCE - 1) * this.#gapMs) this.#passOn();
    else void this.#pause();
  }

  /** Passes on what still waits. */
  finish(): void {
    if (this.#waiting.length > 0) this.#passOn();
  }

  async #pause(): Promise<void> {
    this.#isPausing = true;
    try {
      await this.#clock.sleep(this.#gapMs, this.#signal);
    } catch {
      return; // Only an abort ends a sleep early.
    }
    this.#isPausing = false;
    this.finish();
  }

  #passOn(): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, this.#clock.boottimeMs()) + this.#gapMs;
    const items = this.#waiting;
    this.#waiting = [];
    this.#pass(items);
  }
}
