/** Runs one row: injects, waits, counts, and looks whether all is as it was. */
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile, type RowResult } from './result.js';
import type { Row, Size } from './row.js';
import type { Scene } from './scene.js';
import type { Station } from './station.js';

/** A row that fails this often in a row is not going to succeed. */
const MOST_FAILURES = 3;
const ARRIVES_MS = 20_000;
/** How long it is watched what the daemon costs without the fault; the kernel counts in steps of 10 ms. */
const BASELINE_MS = { test: 200, standard: 5_000, full: 5_000 } as const;

export type Origin = Pick<RowResult, 'date' | 'commit'>;

export async function measure(row: Row, scene: Scene, size: Size, origin: Origin): Promise<RowResult> {
  await scene.setStage(row.stage);
  const before = await scene.baseline();
  const tally = new Tally();
  for (let turn = 0; turn < row.counts[size] && tally.failures.length < MOST_FAILURES; turn++) {
    await scene.first.settle();
    await tally.count(row, scene, size);
  }
  return { id: row.id, ...origin, ...tally.result(), leaks: await scene.leaksSince(before) };
}

class Tally {
  readonly failures: string[] = [];
  readonly #healedMs: number[] = [];
  readonly #losses: number[] = [];
  readonly #cpuPercents: number[] = [];
  readonly #linesPerMinute: number[] = [];
  #injected = 0;
  #healed = 0;
  #duplicated = 0;
  #wrong = 0;

  async count(row: Row, scene: Scene, size: Size): Promise<void> {
    const { first, probe } = scene;
    const carrying = row.bar.cpuPercent === undefined ? 0 : await cpuPercentOf(first, BASELINE_MS[size]);
    const mark = probe.mark();
    const [daemon, cpuMs, lines] = [first.daemon, first.cpuMs(), first.daemon.lines.length];
    let ownLoss: number | undefined;
    try {
      const { healedMs, faultMs, lost, times = 1 } = await row.inject(scene, size);
      ownLoss = lost;
      this.#injected += times;
      this.#healed += times;
      if (healedMs !== undefined) this.#healedMs.push(healedMs);
      if (faultMs !== undefined && daemon === first.daemon) {
        this.#cpuPercents.push(Math.max(0, ((first.cpuMs() - cpuMs) / faultMs) * 100 - carrying));
        this.#linesPerMinute.push(((daemon.lines.length - lines) / faultMs) * 60_000);
      }
    } catch (error) {
      this.#injected++;
      this.failures.push(firstWords(error));
    }
    const toll = await probe.since(mark, ARRIVES_MS);
    this.#losses.push(ownLoss ?? toll.lost);
    this.#duplicated += toll.duplicated;
    this.#wrong += toll.wrong;
  }

  result(): Omit<RowResult, 'id' | 'date' | 'commit' | 'leaks'> {
    const times = this.#healedMs;
    return {
      injected: this.#injected,
      healed: this.#healed,
      ...(times.length > 0 && {
        healedMs: {
          p50: Math.round(percentile(times, 50)),
          p99: Math.round(percentile(times, 99)),
          worst: Math.round(Math.max(...times)),
        },
      }),
      lost: { worst: Math.max(...this.#losses), total: this.#losses.reduce((sum, lost) => sum + lost, 0) },
      duplicated: this.#duplicated,
      wrong: this.#wrong,
      ...(this.#cpuPercents.length > 0 && { cpuPercent: tenths(Math.max(...this.#cpuPercents)) }),
      ...(this.#linesPerMinute.length > 0 && {
        logLinesPerMinute: tenths(Math.max(...this.#linesPerMinute)),
      }),
      failures: this.failures,
    };
  }
}

async function cpuPercentOf(station: Station, ms: number): Promise<number> {
  const [start, cpuMs] = [performance.now(), station.cpuMs()];
  await sleep(ms);
  return ((station.cpuMs() - cpuMs) / (performance.now() - start)) * 100;
}

/** Enough to tell what it was. */
function firstWords(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').slice(0, 400);
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
