/** A few worlds in seconds, as many as WORLDS says in `make mutants`; `make sim` runs thousands. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sameTrace } from './invariants.js';
import { simulate, type World } from './simulation.js';

const { WORLDS = '3' } = process.env;
const SEEDS = Array.from({ length: Number(WORLDS) }, (_, index) => index + 1);
const SHORT = { storms: 1, stormMinutes: 4, quietTtls: 1 };

describe('simulation', () => {
  const worlds: World[] = [];
  const { stackTraceLimit } = Error;
  before(async () => {
    // A stack for every abort would be most of the work.
    Error.stackTraceLimit = 0;
    for (const seed of SEEDS) {
      const world = await simulate(seed, SHORT);
      worlds.push(world);
      if (world.breaches.length > 0) return;
    }
  });
  after(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  it('breaks no invariant, whatever goes wrong', () => {
    for (const { seed, breaches, trace } of worlds) {
      assert.deepEqual(breaches, [], `Replay it: make sim SEED=${seed}\n${trace.slice(-30).join('\n')}`);
    }
  });

  it('sees much go wrong', () => {
    const faults = new Set(worlds.flatMap((world) => [...world.faults.keys()]));
    assert.ok(faults.size >= 15, `only ${faults.size} kinds of faults`);
    const hours =
      worlds.reduce((sum, { passedMs }) => sum + passedMs.stepped + passedMs.leapt, 0) / 3_600_000;
    assert.ok(hours >= 10, `only ${hours} host-hours`);
  });

  it('is the same every time', async () => {
    const [first] = worlds;
    assert.ok(first);
    const again = await simulate(first.seed, SHORT);
    assert.deepEqual(sameTrace(first.hash, again.hash), []);
    assert.deepEqual(again.trace, first.trace);
  });

  it('differs from seed to seed', () => {
    assert.equal(new Set(worlds.map(({ hash }) => hash)).size, SEEDS.length);
  });
});
