/** A host that joins a network of many others, and what it does while hosts come and go. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Member } from '../test/lab/cluster.js';
import { CROWDED_CONFIG, type Crowd, indexes, onCrowd } from '../test/lab/crowd.js';
import { statusOf } from '../test/lab/daemon-status.js';
import { eventually } from '../test/lab/eventually.js';
import type { LongProcess } from '../test/lab/process.js';
import { memoryMb, processSeconds } from './proc.js';
import type { SceneFigures } from './results.js';

const FEW = 1_000;
const MANY = 10_000;
const JOINED_MS = 60_000;
/** So many of them, evenly spread, are sent to until each was heard: more would take the processor from who starts. */
const PROBES = 50;
const PROBE_EVERY_MS = 4;
/** Each of all the others is then sent to; what finds a full buffer, again. */
const SWEEP = 100;

const CHURN_SECONDS = 30;
const CHANGES_A_SECOND = 100;
const SETTLE_MS = 3_000;
const HEARD_MS = 10_000;
const LEFT_MS = 10_000;

/** From the start of the process, with nothing remembered, until packets to every host come through. */
export async function takeJoining(runs: number): Promise<SceneFigures> {
  return onCrowd({ hosts: 1, config: CROWDED_CONFIG }, async (crowd, member) => {
    const figures = { joinFew: [] as number[], joinMany: [] as number[] };
    for (const [figure, from, to] of [
      ['joinFew', 0, FEW],
      ['joinMany', FEW, MANY],
    ] as const) {
      await crowd.add(from, to - from);
      for (let run = 0; run < runs; run++) {
        const { daemon, seconds } = await join(member, crowd, to);
        figures[figure].push(seconds);
        await leave(member, daemon);
      }
    }
    return figures;
  });
}

/** Hosts come, and as many go: how long until packets to a new one come through, and what that takes. */
export async function takeChurn(): Promise<SceneFigures> {
  return onCrowd({ hosts: 1, config: CROWDED_CONFIG }, async (crowd, member) => {
    await crowd.add(0, MANY);
    const { daemon } = await join(member, crowd, MANY);
    await sleep(SETTLE_MS);
    const before = { memory: await memoryMb(daemon.pid), seconds: await processSeconds(daemon.pid) };
    const delays = await churn(crowd);
    const [memory, seconds] = [await memoryMb(daemon.pid), await processSeconds(daemon.pid)];
    await eventually('those that left are forgotten', LEFT_MS, async () =>
      assert.equal((await statusOf(member.host)).peers.length, MANY),
    );
    await leave(member, daemon);
    return {
      churnHalf: [quantile(delays, 0.5)],
      churnMost: [quantile(delays, 0.99)],
      churnCpu: [(100 * (seconds - before.seconds)) / CHURN_SECONDS],
      churnMemory: [(100 * (memory.now - before.memory.now)) / before.memory.now],
    };
  });
}

async function join(member: Member, crowd: Crowd, count: number) {
  const probes = indexes(0, PROBES).map((probe) => Math.round((probe * (count - 1)) / (PROBES - 1)));
  const isHeard = (index: number) => crowd.heardAt(index) !== undefined;
  crowd.forget();
  const probing = setInterval(() => {
    for (const index of probes) if (!isHeard(index)) crowd.send(index);
  }, PROBE_EVERY_MS);
  try {
    const start = performance.now();
    const daemon = member.start();
    await eventually('the first hosts are reached', JOINED_MS, () => assert.ok(probes.every(isHeard)));
    const reached = Math.max(...probes.map((index) => crowd.heardAt(index) ?? 0));
    await eventually(
      'every host is reached',
      JOINED_MS,
      async () => {
        const missing = indexes(0, count).filter((index) => !isHeard(index));
        for (const index of missing.slice(0, SWEEP)) crowd.send(index);
        assert.equal(missing.length, 0);
      },
      1,
    );
    return { daemon, seconds: (reached - start) / 1000 };
  } finally {
    clearInterval(probing);
  }
}

/** Nothing of it is left: the next one begins with a cold cache. */
async function leave(member: Member, daemon: LongProcess): Promise<void> {
  await daemon.stop();
  const { code, stderr } = await member.command('destroy', '--lease');
  assert.equal(code, 0, stderr);
}

/** For each host that came: from when the store had its lease until it was reached, in milliseconds. */
async function churn(crowd: Crowd): Promise<readonly number[]> {
  const writtenAt = new Map<number, number>();
  const awaited = new Set<number>();
  const writes: Promise<void>[] = [];
  const changes = CHURN_SECONDS * CHANGES_A_SECOND;
  const start = performance.now();
  crowd.forget();
  for (let changed = 0; changed < changes; ) {
    const due = Math.floor(((performance.now() - start) / 1000) * CHANGES_A_SECOND);
    for (; changed < Math.min(due, changes); changed++) {
      const [came, gone] = [MANY + changed, changed];
      writes.push(
        crowd.write(came).then(() => {
          writtenAt.set(came, performance.now());
          awaited.add(came);
        }),
        crowd.remove(gone),
      );
    }
    probe(crowd, awaited);
    await sleep(PROBE_EVERY_MS);
  }
  await Promise.all(writes);
  await eventually(
    'the last of them is reached',
    HEARD_MS,
    () => {
      probe(crowd, awaited);
      assert.equal(awaited.size, 0);
    },
    PROBE_EVERY_MS,
  );
  // One may be heard before its writer has got the answer.
  return [...writtenAt].map(([index, at]) => Math.max(0, (crowd.heardAt(index) ?? Number.NaN) - at));
}

function probe(crowd: Crowd, awaited: Set<number>): void {
  for (const index of awaited) {
    if (crowd.heardAt(index) === undefined) crowd.send(index);
    else awaited.delete(index);
  }
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  if (value === undefined) throw new Error('Cannot take a part of nothing');
  return value;
}
