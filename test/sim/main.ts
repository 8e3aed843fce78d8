/**
 * `make sim`: worlds of one seed after another until enough host-hours have passed; the result goes to
 * docs/simulation/result.json. With SEED one world, with its whole trace; nothing is kept.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { measuredCommit, measuringMachine } from '../lab/measurement.js';
import { repositoryRoot } from '../lab/repository.js';
import { simulate, type World } from './simulation.js';

/** What docs/simulation/result.json holds. */
export interface SimulationResult {
  /** RFC 3339 in UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: ReturnType<typeof measuringMachine>;
  readonly seeds: { readonly first: number; readonly last: number };
  /** `stepped`: with every timer; `leapt`: passed over at rest, see docs/simulation.md. */
  readonly hostHours: { readonly stepped: number; readonly leapt: number };
  readonly cpuSeconds: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly breaches: readonly { readonly seed: number; readonly what: string }[];
}

const FULL = { storms: 2, stormMinutes: 12, quietTtls: 84 };
const MS_IN_HOUR = 3_600_000;
const REPORT_EVERY_MS = 10_000;

// A stack for every abort would be most of the work.
Error.stackTraceLimit = 0;
const { SEED = '', HOURS = '' } = process.env;
if (SEED !== '') await replay(Number(SEED));
else await run(Number(HOURS || '100000'));

async function replay(seed: number): Promise<void> {
  const { trace, hash, breaches } = await simulate(seed, FULL);
  for (const line of trace) process.stdout.write(`${line}\n`);
  process.stdout.write(`seed ${seed}: trace ${hash}, ${breaches.length} breaches\n`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}

async function run(hours: number): Promise<void> {
  const passed = { stepped: 0, leapt: 0 };
  const faults = new Map<string, number>();
  const breaches: { seed: number; what: string }[] = [];
  let [seed, reportedMs] = [0, performance.now()];
  while (passed.stepped + passed.leapt < hours) {
    const world = await simulate(++seed, FULL);
    passed.stepped += world.passedMs.stepped / MS_IN_HOUR;
    passed.leapt += world.passedMs.leapt / MS_IN_HOUR;
    for (const [name, count] of world.faults) faults.set(name, (faults.get(name) ?? 0) + count);
    if (world.breaches.length > 0) {
      breaches.push({ seed, what: world.breaches[0] ?? '' });
      tellBreach(world);
    }
    if (performance.now() - reportedMs < REPORT_EVERY_MS) continue;
    reportedMs = performance.now();
    process.stdout.write(
      `${seed} worlds, ${Math.round(passed.stepped + passed.leapt)} of ${hours} host-hours\n`,
    );
  }
  const { user, system } = process.cpuUsage();
  const result: SimulationResult = {
    date: new Date().toISOString(),
    commit: measuredCommit(),
    machine: measuringMachine(),
    seeds: { first: 1, last: seed },
    hostHours: { stepped: Math.round(passed.stepped), leapt: Math.round(passed.leapt) },
    cpuSeconds: Math.round((user + system) / 1e6),
    faults: Object.fromEntries([...faults].sort(([, left], [, right]) => right - left)),
    breaches,
  };
  const path = join(repositoryRoot(), 'docs/simulation/result.json');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
  process.stdout.write(`${JSON.stringify(result.hostHours)} host-hours, ${breaches.length} breaches\n`);
  process.exitCode = breaches.length === 0 ? 0 : 1;
}

function tellBreach({ seed, trace, breaches }: World): void {
  const tail = trace.slice(-40).map((line) => `  ${line}`);
  process.stdout.write(`${[...tail, ...breaches, `Replay it: make sim SEED=${seed}`].join('\n')}\n`);
}
