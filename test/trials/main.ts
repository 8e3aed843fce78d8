/**
 * `make trials`: RUNS changes on trial, each of which loses its command, its terminal or the daemon. All of it must be taken back
 * within a second of its time; the result goes to docs/trials/result.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Member, onCluster } from '../lab/cluster.js';
import { measuredCommit, measuringMachine } from '../lab/measurement.js';
import { repositoryRoot } from '../lab/repository.js';
import { LOSSES, type Loss, lostTrial } from '../lab/trial.js';

/** Long enough for the change itself, also when all hosts are at it. */
const TRIAL_MS = 4_000;
const MOST_LATE_MS = 1_000;
/** At once: a trial is mostly waiting. */
const HOSTS = 4;

const runs = Number(process.env.RUNS || '100');
const late: Record<Loss, number[]> = { command: [], terminal: [], daemon: [] };

let begun = 0;

await onCluster({ hosts: HOSTS }, async ({ members }) => {
  await Promise.all(members.map(tryOn));
});

async function tryOn(member: Member): Promise<void> {
  const { code, stderr } = await member.command('apply');
  if (code !== 0) throw new Error(stderr);
  while (begun < runs) {
    const run = begun++;
    const loss = LOSSES[run % LOSSES.length] ?? 'command';
    const lateMs = await lostTrial(member, loss, TRIAL_MS);
    late[loss].push(lateMs);
    process.stdout.write(`${run + 1}: ${loss} lost, back after ${lateMs} ms\n`);
  }
}

const all = Object.values(late).flat();
const within = all.filter((ms) => ms <= MOST_LATE_MS).length;
const result = {
  date: new Date().toISOString(),
  commit: measuredCommit(),
  machine: measuringMachine(),
  runs,
  hosts: HOSTS,
  trialMs: TRIAL_MS,
  mostLateMs: MOST_LATE_MS,
  within,
  lateMs: Object.fromEntries(Object.entries(late).map(([loss, each]) => [loss, summary(each)])),
};
const path = join(repositoryRoot(), 'docs/trials/result.json');
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${within} of ${runs} within ${MOST_LATE_MS} ms\n`);
process.exitCode = within === runs ? 0 : 1;

function summary(each: readonly number[]) {
  const sorted = each.toSorted((left, right) => left - right);
  return { runs: sorted.length, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 };
}
