/** Time and chance, the only ones there are. */
import { setTimeout } from 'node:timers/promises';
import type { Clock, Random } from '../ports.js';
import { boottimeNs } from './libc.js';

// A timer of libuv stands still while the machine is suspended, and one of more than 2^31-1 ms fires at once. Slept
// in slices of this length, a wait is over at the latest one slice after a resume.
const SLICE_MS = 60_000;

export const systemClock: Clock = {
  now: () => Date.now(),
  boottimeMs,
  async sleep(ms, signal) {
    const end = boottimeMs() + ms;
    let left = ms;
    do {
      // The timer would reject with an AbortError of its own; the contract wants the signal's reason.
      await setTimeout(Math.min(Math.ceil(left), SLICE_MS), undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
      left = end - boottimeMs();
    } while (left > 0);
  },
};

export const systemRandom: Random = { next: () => Math.random() };

// Not process.hrtime or os.uptime: the one is CLOCK_MONOTONIC, which stops in suspend, the other counts hundredths of a second.
function boottimeMs(): number {
  return Number(boottimeNs()) / 1e6;
}
