/** Bounds one piece of work in time. */
import type { Clock } from '../../ports.js';
import { withChildAbort } from './child-abort.js';

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/**
 * Rejects with DeadlineError after `ms`, and with the reason of `signal` on abort, even if `work` ignores the
 * signal it is given. That one is aborted then, and when the work is done.
 */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withChildAbort(signal, async (child) => {
    const late = clock.sleep(ms, child.signal).then(() => {
      const error = new DeadlineError(`Cannot finish ${what}: no result after ${ms} ms`);
      child.abort(error);
      throw error;
    });
    late.catch(() => {});
    try {
      return await Promise.race([work(child.signal), late]);
    } finally {
      child.abort();
    }
  });
}
