/**
 * `make fuzz`: COUNT inputs in all, shared out among the targets; the result goes to docs/fuzzing/result.json, and the first
 * input of an outcome that the corpus does not have yet goes there. Tries in a thread, so that one that never ends is found.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { measuredCommit, measuringMachine } from '../lab/measurement.js';
import { repositoryRoot } from '../lab/repository.js';
import { keep, keptInputs, nameOf } from './corpus.js';
import { fuzz, type Tried } from './fuzz.js';
import { TARGETS } from './targets.js';

/** What docs/fuzzing/result.json holds. */
export interface FuzzingResult {
  /** RFC 3339 in UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: ReturnType<typeof measuringMachine>;
  readonly seed: number;
  readonly inputs: number;
  readonly targets: readonly TargetResult[];
}

interface TargetResult {
  readonly name: string;
  readonly inputs: number;
  readonly slowestMs: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

interface Job {
  readonly seed: number;
  readonly count: number;
  /** The number of the target at work and of its input, for whoever watches. */
  readonly progress: SharedArrayBuffer;
}

const LOOK_EVERY_MS = 5_000;
/** Counted in looks and not on a clock: whoever was stopped has not looked. */
const STUCK_AFTER_LOOKS = 12;

if (isMainThread)
  await watch(Number(process.env.COUNT || '10000000'), Number(process.env.SEED || Date.now() % 1e9));
else parentPort?.postMessage(tryAll(workerData as Job));

async function watch(count: number, seed: number): Promise<void> {
  const progress = new SharedArrayBuffer(16);
  const workerData: Job = { seed, count, progress };
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData });
  let [seen, looks] = ['', 0];
  const looking = setInterval(() => {
    const [target = 0n, input = 0n] = new BigInt64Array(progress);
    const now = `target ${TARGETS[Number(target)]?.name}, input ${input}`;
    if (now !== seen) [seen, looks] = [now, 0];
    else if (++looks > STUCK_AFTER_LOOKS) throw new Error(`It hangs: seed ${seed}, ${now}`);
  }, LOOK_EVERY_MS);
  try {
    const targets = await new Promise<readonly TargetResult[]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const inputs = targets.reduce((sum, target) => sum + target.inputs, 0);
    const where = { commit: measuredCommit(), machine: measuringMachine() };
    const result: FuzzingResult = { date: new Date().toISOString(), ...where, seed, inputs, targets };
    const path = join(repositoryRoot(), 'docs/fuzzing/result.json');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
    process.stdout.write(`${inputs} inputs, seed ${seed}: all dealt with as the slow models say\n`);
  } finally {
    clearInterval(looking);
  }
}

function tryAll({ seed, count, progress }: Job): readonly TargetResult[] {
  const at = new BigInt64Array(progress);
  return TARGETS.map((target, number) => {
    at[0] = BigInt(number);
    const tried = fuzz(target, seed + number, Math.ceil((count * target.share) / 1e6), (index) => {
      if (index % 100 === 0) at[1] = BigInt(index);
    });
    keepNews(target.name, tried);
    process.stdout.write(`${target.name}: ${tried.inputs} inputs, ${tried.outcomes.size} outcomes\n`);
    const outcomes = [...tried.outcomes].map(([outcome, { count: times }]) => [outcome, times] as const);
    const slowestMs = Math.round(tried.slowestMs);
    return { name: target.name, inputs: tried.inputs, slowestMs, outcomes: Object.fromEntries(outcomes) };
  });
}

function keepNews(target: string, { outcomes }: Tried): void {
  const known = new Set(keptInputs(target).map(({ name }) => name));
  for (const [outcome, { first }] of outcomes) if (!known.has(nameOf(outcome))) keep(target, outcome, first);
}
