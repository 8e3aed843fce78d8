/** An abort of one's own that also follows a longer-lived signal. */

/**
 * Runs `work` with a controller that is aborted, for the same reason, when `signal` is. Afterwards nothing is
 * left on `signal`: AbortSignal.any leaves an entry there for each call (Node 20), and a daemon waits a
 * hundred thousand times a day.
 */
export async function withChildAbort<T>(
  signal: AbortSignal,
  work: (child: AbortController) => Promise<T>,
): Promise<T> {
  const child = new AbortController();
  const follow = () => child.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener('abort', follow, { once: true });
  try {
    return await work(child);
  } finally {
    signal.removeEventListener('abort', follow);
  }
}
