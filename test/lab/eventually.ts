/** Waiting for the world: poll until it is as wanted, and say what was last seen when it never is. */
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 25;

/**
 * Calls `probe` until it does not throw, and resolves with what it returned. Rejects after `timeoutMs` with
 * the probe's last error as cause.
 */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | Promise<T>,
  everyMs = EVERY_MS,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (performance.now() >= end) {
        const seen = error instanceof Error ? error.message : String(error);
        throw new Error(`${what}: not so after ${timeoutMs} ms, last seen: ${seen}`, { cause: error });
      }
    }
    await sleep(everyMs);
  }
}
