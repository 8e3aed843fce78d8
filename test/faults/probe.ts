/**
 * What a fault costs those who use the network: 1,000 small UDP packets a second each way between two containers,
 * numbered, so that a lost one is a millisecond of outage. Further containers only listen: nothing may reach them.
 */
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { eventually } from '../lab/eventually.js';
import { ProbeCounts, probeMemory } from './probe-memory.js';
import type { ProbeWork } from './probe-worker.js';

/** What became of the packets that were sent in some time. */
export interface Toll {
  /** Of the way that lost more. */
  readonly lost: number;
  readonly duplicated: number;
  /** What came to somebody that it was not for. */
  readonly wrong: number;
}

export interface ProbeMark {
  readonly sent: readonly number[];
  readonly wrong: number;
}

export const PROBE_PORT = 7_007;
const PACKETS_PER_SECOND = 1_000;
const WAYS = [0, 1] as const;
/** A packet that others have overtaken by this many is lost. */
const OVERTAKEN_BY = 20;

export class Probe {
  readonly #worker: Worker;
  readonly #counts: ProbeCounts;

  private constructor(worker: Worker, counts: ProbeCounts) {
    this.#worker = worker;
    this.#counts = counts;
  }

  /** Resolves once packets arrive both ways. */
  static async start(ends: readonly { readonly pid: number; readonly address: string }[]): Promise<Probe> {
    const memory = probeMemory(WAYS.length);
    const workerData: ProbeWork = {
      memory,
      ends: ends.map(({ pid, address }) => ({ pid, address })),
      port: PROBE_PORT,
      packetsPerSecond: PACKETS_PER_SECOND,
    };
    const worker = new Worker(new URL('./probe-worker.js', import.meta.url), { workerData });
    const probe = new Probe(worker, new ProbeCounts(memory));
    await probe.since(probe.mark(), 30_000);
    return probe;
  }

  mark(): ProbeMark {
    return { sent: WAYS.map((way) => this.#counts.sent(way)), wrong: this.#counts.wrong };
  }

  /** Resolves once packets arrive both ways; those that had been sent before and did not arrive are lost. Rejects after `patienceMs`. */
  async since(mark: ProbeMark, patienceMs: number): Promise<Toll> {
    const now = this.mark();
    await eventually('packets arrive both ways', patienceMs, () => {
      for (const way of WAYS)
        assert.ok(this.#arrivedFrom(way, now.sent[way] ?? 0) > OVERTAKEN_BY, `way ${way}`);
    });
    const tolls = WAYS.map((way) => this.#tollOf(way, mark.sent[way] ?? 0, now.sent[way] ?? 0));
    return {
      lost: Math.max(...tolls.map(({ lost }) => lost)),
      duplicated: tolls.reduce((sum, { duplicated }) => sum + duplicated, 0),
      wrong: this.#counts.wrong - mark.wrong,
    };
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #arrivedFrom(way: number, first: number): number {
    let arrived = 0;
    for (let number = first; number < this.#counts.sent(way); number++) {
      if (this.#counts.arrivals(way, number) > 0) arrived++;
    }
    return arrived;
  }

  #tollOf(way: number, first: number, end: number): { lost: number; duplicated: number } {
    let [lost, duplicated] = [0, 0];
    for (let number = first; number < end; number++) {
      const arrivals = this.#counts.arrivals(way, number);
      if (arrivals === 0) lost++;
      else duplicated += arrivals - 1;
    }
    return { lost, duplicated };
  }
}
