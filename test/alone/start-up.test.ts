/** How long the program takes to begin, in multiples of what Node takes at the same time on the same machine. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { type StartUp, timeStartUps } from '../../bench/start-ups.js';
import { memberAt, onCluster } from '../lab/cluster.js';
import { repositoryRoot } from '../lab/repository.js';

/** Loose: a neighbour costs a program of several threads more than it costs Node alone. The figures are in docs/bench/start-up.md. */
const MOST_TIMES_NODE = { version: 15, validate: 20, first: 75, again: 75 } as const;
/** A machine that was busy with something else gets another chance; slow code uses all of them up. */
const ROUNDS = 3;

test('the program begins within a few times what Node takes', { timeout: 120_000 }, async (t) => {
  const program = { node: process.execPath, main: join(repositoryRoot(), 'bin/flannelette') };
  await onCluster({ hosts: 1 }, async (cluster) => {
    for (let round = 1; ; round++) {
      const times = await timeStartUps(memberAt(cluster, 0), program);
      const told = Object.entries(times).map(([name, ms]) => `${name} ${Math.round(ms)}`);
      t.diagnostic(`milliseconds: ${told.join(', ')}`);
      const slow = (Object.entries(MOST_TIMES_NODE) as [StartUp, number][]).filter(
        ([name, most]) => times[name] > most * times.node,
      );
      if (slow.length === 0) return;
      assert.ok(round < ROUNDS, `too slow: ${slow.map(([name]) => name).join(', ')}; ${told.join(', ')}`);
    }
  });
});
