/** A flag that can be waited for: wakes coalesce, and none that comes before the wait is lost. */
import type { Clock } from '../../ports.js';
import { withChildAbort } from './child-abort.js';

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
      await withChildAbort(signal, async (cut) => {
        this.#waiter = () => cut.abort();
        // It rejects when it is cut short only, by a wake or by `signal`; which one is told below.
        await clock.sleep(ms, cut.signal).catch(() => {});
        this.#waiter = undefined;
      });
    }
    signal.throwIfAborted();
    this.#set = false;
  }
}
