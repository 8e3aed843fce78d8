/**
 * `make soak`: for MINUTES one fault of the scoreboard every ten seconds on real parts, in an order that SEED decides. The
 * result goes to docs/soak/result.json: what did not heal, what was left behind, and whether memory and descriptors stay flat.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { seededRandom } from '../fakes/seeded-random.js';
import { measuredCommit, measuringMachine } from '../lab/measurement.js';
import { repositoryRoot } from '../lab/repository.js';
import { measure } from './measure.js';
import { ROWS } from './rows.js';
import { Scene } from './scene.js';
import { slopePerHour } from './slope.js';
import type { Station } from './station.js';

const EVERY_MS = 10_000;
const MS_IN_MINUTE = 60_000;
/** What starting takes is no leak: heap and code settle in this time. */
const WARM_UP_MS = 5 * MS_IN_MINUTE;
const ONCE = { test: 1, standard: 1, full: 1 };
/** To set up the network beside would take most of the time. */
const BRIEF_ROWS = ROWS.filter(({ stage }) => stage === undefined);

interface Sample {
  readonly atMs: number;
  readonly rssKiB: number;
  readonly descriptors: number;
}

const minutes = Number(process.env.MINUTES || '60');
const seed = Number(process.env.SEED || '1');
const origin = { date: new Date().toISOString(), commit: measuredCommit() };
const random = seededRandom(seed);
const injected = new Map<string, number>();
const troubles: string[] = [];
const samples = new Map<string, Sample[]>();
const startMs = performance.now();

await Scene.play(async (scene) => {
  const { second } = scene;
  const { pid } = second.daemon;
  while (performance.now() - startMs < minutes * MS_IN_MINUTE) {
    const beganMs = performance.now();
    const row = BRIEF_ROWS[Math.floor(random.next() * BRIEF_ROWS.length)];
    if (row === undefined) throw new Error('Cannot choose a fault: there are none');
    injected.set(row.id, (injected.get(row.id) ?? 0) + 1);
    const { failures, wrong, duplicated, leaks } = await measure(
      { ...row, counts: ONCE },
      scene,
      'test',
      origin,
    );
    const found = [...failures, ...leaks.map((leak) => `left behind: ${leak}`)];
    if (wrong > 0) found.push(`${wrong} packets arrived where they should not`);
    if (duplicated > 0) found.push(`${duplicated} packets arrived twice`);
    for (const what of found) tell(`${row.id}: ${what}`);
    sample('host2', second);
    await setTimeout(Math.max(0, EVERY_MS - (performance.now() - beganMs)));
  }
  // Who suffers may have been killed for it: the first and the third. The second must have lived through all of it.
  if (second.daemon.pid !== pid) tell('host2: the daemon is another one than at the start');
});

const result = {
  ...origin,
  machine: measuringMachine(),
  seed,
  minutes,
  injected: Object.fromEntries([...injected].sort()),
  troubles,
  lastingDaemons: [...samples].map(([host, taken]) => ({ host, ...summary(taken) })),
};
const path = join(repositoryRoot(), 'docs/soak/result.json');
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
process.exitCode = troubles.length === 0 ? 0 : 1;

function tell(trouble: string): void {
  const minute = ((performance.now() - startMs) / MS_IN_MINUTE).toFixed(1);
  troubles.push(`minute ${minute}: ${trouble}`);
  process.stdout.write(`${troubles.at(-1)}\n`);
}

function sample(name: string, station: Station): void {
  const taken = samples.get(name) ?? [];
  const status = readFileSync(`/proc/${station.daemon.pid}/status`, 'utf8');
  const rssKiB = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  taken.push({ atMs: performance.now() - startMs, rssKiB, descriptors: station.descriptors() });
  samples.set(name, taken);
}

function summary(taken: readonly Sample[]) {
  const settled = taken.filter(({ atMs }) => atMs >= Math.min(WARM_UP_MS, (minutes * MS_IN_MINUTE) / 2));
  const rss = settled.map(({ atMs, rssKiB }) => ({ atMs, value: rssKiB / 1024 }));
  const descriptors = settled.map((each) => each.descriptors);
  return {
    rssMiB: { first: Math.round(rss[0]?.value ?? 0), last: Math.round(rss.at(-1)?.value ?? 0) },
    rssMiBPerHour: Math.round(slopePerHour(rss) * 10) / 10,
    descriptors: { least: Math.min(...descriptors), most: Math.max(...descriptors) },
  };
}
