import assert from 'node:assert/strict';
import test from 'node:test';
import { type OverallFacts, overallOf } from '../../../src/model/overall.js';

const route = (state: string) => ({ key: 'route:4.0.0.0/16', state, reason: 'why' });
const CONDITION = { type: 'EtcdUnavailable', message: 'connection refused' };
const SETTLED: OverallFacts = { isConverged: true, troubles: [], conditions: [] };

for (const { what, facts, sync, health } of [
  { what: 'a host on which all is as wanted', facts: SETTLED, sync: 'in-sync', health: 'ready' },
  {
    what: 'one that has just been started',
    facts: { ...SETTLED, isConverged: false },
    sync: 'unknown: not everything was looked at yet',
    health: 'progressing: not everything was looked at yet',
  },
  {
    what: 'one that cannot tell yet what is wanted',
    facts: { ...SETTLED, isConverged: false, undecided: 'the store has not been read yet' },
    sync: 'unknown: the store has not been read yet',
    health: 'progressing: the store has not been read yet',
  },
  {
    what: 'one on which something is about to be done',
    facts: { ...SETTLED, isConverged: false, troubles: [route('pending')] },
    sync: 'drifted: route:4.0.0.0/16 pending: why',
    health: 'progressing: route:4.0.0.0/16 pending: why',
  },
  {
    what: 'one on which something fails',
    facts: { ...SETTLED, isConverged: false, troubles: [route('waiting'), route('failed')] },
    sync: 'drifted: route:4.0.0.0/16 waiting: why',
    health: 'degraded: route:4.0.0.0/16 failed: why',
  },
  {
    what: 'one on which somebody else has the place',
    facts: { ...SETTLED, isConverged: false, troubles: [route('pending'), route('conflict')] },
    sync: 'conflict: route:4.0.0.0/16 conflict: why',
    health: 'degraded: route:4.0.0.0/16 conflict: why',
  },
  {
    what: 'one that is as wanted while its store is away',
    facts: { ...SETTLED, conditions: [CONDITION] },
    sync: 'in-sync',
    health: 'degraded: EtcdUnavailable: connection refused',
  },
  {
    what: 'one beside what is not ours',
    facts: { ...SETTLED, troubles: [route('foreign')] },
    sync: 'in-sync',
    health: 'ready',
  },
]) {
  test(`${what} is ${sync}, and ${health}`, () => {
    const overall = overallOf(facts);
    const text = ({ state, reason }: { state: string; reason: string }) => state + (reason && `: ${reason}`);
    assert.deepEqual([text(overall.sync), text(overall.health)], [sync, health]);
  });
}
