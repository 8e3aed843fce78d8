/** Time, and how to wait. */

export interface Clock {
  /** Milliseconds since the epoch, for people. Jumps when the wall clock is set. */
  now(): number;
  /** Milliseconds on CLOCK_BOOTTIME: runs on through suspend, never jumps. Deadlines count on it. */
  boottimeMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason on abort. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** For what is to be done to its end, whoever has had enough meanwhile. It never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;
