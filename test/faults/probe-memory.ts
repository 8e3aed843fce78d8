/** What the probe's thread has sent and received, in memory that the test reads without asking. */

/** Sequence numbers that are told apart: a quarter of an hour at 1,000 a second. */
const REMEMBERED = 1 << 20;

export interface ProbeMemory {
  /** For each way: how many were sent. */
  readonly sent: SharedArrayBuffer;
  /** For each way, by sequence number: how often it arrived. */
  readonly arrivals: SharedArrayBuffer;
  /** One number: what came to somebody that it was not for, or that nobody of the probe had sent. */
  readonly wrong: SharedArrayBuffer;
}

export function probeMemory(ways: number): ProbeMemory {
  return {
    sent: new SharedArrayBuffer(ways * 4),
    arrivals: new SharedArrayBuffer(ways * REMEMBERED),
    wrong: new SharedArrayBuffer(4),
  };
}

export class ProbeCounts {
  readonly #sent: Int32Array;
  readonly #arrivals: Uint8Array;
  readonly #wrong: Int32Array;

  constructor({ sent, arrivals, wrong }: ProbeMemory) {
    this.#sent = new Int32Array(sent);
    this.#arrivals = new Uint8Array(arrivals);
    this.#wrong = new Int32Array(wrong);
  }

  get wrong(): number {
    return Atomics.load(this.#wrong, 0);
  }

  sent(way: number): number {
    return Atomics.load(this.#sent, way);
  }

  arrivals(way: number, number: number): number {
    return Atomics.load(this.#arrivals, slot(way, number));
  }

  /** The number of the next packet that is to be sent this way. */
  next(way: number): number {
    const number = this.sent(way);
    Atomics.store(this.#arrivals, slot(way, number), 0);
    Atomics.add(this.#sent, way, 1);
    return number;
  }

  arrived(way: number, number: number): void {
    Atomics.add(this.#arrivals, slot(way, number), 1);
  }

  arrivedWrongly(): void {
    Atomics.add(this.#wrong, 0, 1);
  }
}

function slot(way: number, number: number): number {
  return way * REMEMBERED + (number % REMEMBERED);
}
