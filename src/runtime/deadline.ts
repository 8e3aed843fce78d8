/** Bounds one piece of work in time. */
import type { Clock } from '../ports.js';

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** Rejects with DeadlineError after `ms` even if `work` ignores its signal; the signal is aborted then too. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const over = new AbortController();
  const late = clock.sleep(ms, AbortSignal.any([signal, done.signal])).then(() => {
    const error = new DeadlineError(`Cannot finish ${what}: no result after ${ms} ms`);
    over.abort(error);
    throw error;
  });
  late.catch(() => {});
  try {
    return await Promise.race([work(AbortSignal.any([signal, over.signal])), late]);
  } finally {
    done.abort();
  }
}
