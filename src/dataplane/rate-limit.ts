/**
 * At most ten in any second for each sender: five at once, then one every 200 ms. One number per bucket and no
 * allocation (the generic cell rate algorithm, ITU-T I.371). Time is an argument.
 *
 * Senders are spread over a fixed number of buckets by a hash; two that meet in one share its allowance.
 */
const BUCKETS = 1024; // a power of two
const INTERVAL_MS = 200;
const BURST = 5;

export class RateLimit {
  /** When each bucket is full again. */
  readonly #fullAtMs = new Float64Array(BUCKETS).fill(Number.NEGATIVE_INFINITY);

  /** Whether `sender` may cause one more now; counts it if so. `nowMs` never goes back. */
  allows(sender: number, nowMs: number): boolean {
    const bucket = Math.imul(sender, 0x9e3779b1) >>> 22; // Fibonacci hashing (Knuth, TAOCP 6.4): the top ten bits
    const fullAtMs = Math.max(this.#fullAtMs[bucket] as number, nowMs);
    if (fullAtMs - nowMs > (BURST - 1) * INTERVAL_MS) return false;
    this.#fullAtMs[bucket] = fullAtMs + INTERVAL_MS;
    return true;
  }
}
