/** A flag that can be waited for: wakes coalesce, and none that comes before the wait is lost. */
import type { Clock } from '../ports.js';

export class Wake {
  #set = false;
  #waiter: (() => void) | undefined;

  wake = (): void => {
    this.#set = true;
    this.#waiter?.();
  };

  /** Resolves at the next wake (at once if there was one since the last wait) or after `ms`; rejects on abort. One waiter at a time. */
  async wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#set && ms > 0) {
      const cut = new AbortController();
      this.#waiter = () => cut.abort();
      try {
        await clock.sleep(ms, AbortSignal.any([signal, cut.signal]));
      } catch (error) {
        if (!cut.signal.aborted) throw error;
      } finally {
        this.#waiter = undefined;
      }
    }
    signal.throwIfAborted();
    this.#set = false;
  }
}
