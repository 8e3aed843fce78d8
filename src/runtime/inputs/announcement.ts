/** Holds a renumbering back until it has been shown for a while: a lease that was overwritten by mistake may be put right by then. */
import { type DesiredState, isDecided, type Undecided } from '../../model/desired.js';
import type { Clock } from '../../ports.js';
import { Wake } from '../timing/wake.js';

const ANNOUNCED_MS = 5_000;
const UNTIL_WOKEN_MS = 3_600_000;

export class Announcement {
  readonly #clock: Clock;
  readonly #begun = new Wake();
  #held: { readonly from: string; readonly sinceMs: number; readonly shown: Undecided } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onOver` when an announcement has been shown for long enough, until `signal` aborts; then resolves. */
  async run(onOver: () => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const leftMs = this.#leftMs();
      try {
        await this.#begun.wait(this.#clock, leftMs ?? UNTIL_WOKEN_MS, signal);
      } catch {
        return; // Only an abort ends a wait early.
      }
      if (leftMs !== undefined && this.#leftMs() === undefined) onOver();
    }
  }

  /** Undefined when nothing is held back any more. */
  #leftMs(): number | undefined {
    if (this.#held === undefined) return undefined;
    const leftMs = this.#held.sinceMs + ANNOUNCED_MS - this.#clock.boottimeMs();
    return leftMs > 0 ? leftMs : undefined;
  }

  /** What is shown in place of `state`; undefined when that may go ahead. The same object as long as it says the same. */
  hold(state: DesiredState | Undecided): Undecided | undefined {
    const change = isDecided(state) ? state.renumbering : undefined;
    if (change === undefined) {
      this.#held = undefined;
      return undefined;
    }
    const { from, reason } = change;
    const { leaseConflict } = state;
    if (this.#held?.from !== from || this.#held.shown.reason !== reason) {
      const isBegun = this.#held?.from === from;
      const sinceMs = isBegun && this.#held ? this.#held.sinceMs : this.#clock.boottimeMs();
      const shown = { waitsFor: 'renumbering', reason, ...(leaseConflict && { leaseConflict }) } as const;
      this.#held = { from, sinceMs, shown };
      if (!isBegun) this.#begun.wake();
    }
    return this.#leftMs() === undefined ? undefined : this.#held.shown;
  }
}
