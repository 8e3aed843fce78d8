import assert from 'node:assert/strict';
import test from 'node:test';
import type { Desired } from '../../../../src/model/diff.js';
import type { SysctlState } from '../../../../src/model/objects.js';
import { isConverged, planRound, type RoundOptions, runRound } from '../../../../src/runtime/rounds/round.js';
import { desiredSysctl } from '../../../fakes/desired-objects.js';
import { FakeReconciler } from '../../../fakes/fake-reconciler.js';

const { signal } = new AbortController();

function holding(...settings: readonly Desired<SysctlState>[]): FakeReconciler<SysctlState> {
  const reconciler = new FakeReconciler<SysctlState>();
  for (const { key, state } of settings) reconciler.world.set(key, { key, state, ours: true });
  return reconciler;
}

function run(
  reconciler: FakeReconciler<SysctlState>,
  desired: readonly Desired<SysctlState>[],
  options: Partial<RoundOptions> = {},
) {
  return runRound(reconciler, desired, { isPresent: () => true, ...options }, signal);
}

test('a round does what is planned and looks again', async () => {
  const reconciler = holding(desiredSysctl('b', 'old'), desiredSysctl('c', 'not wanted'));
  const round = await run(reconciler, [desiredSysctl('a', '1'), desiredSysctl('b', '2')]);
  assert.deepEqual(reconciler.log, [
    'observe',
    'create sysctl:a',
    'update sysctl:b',
    'delete sysctl:c',
    'observe',
  ]);
  assert.deepEqual(
    round.results.map(({ outcome }) => outcome),
    ['done', 'done', 'done'],
  );
  assert.equal(round.planned.actions.length, 3);
  assert.deepEqual(round.remaining.actions, []);
  assert.equal(isConverged(round), true);
});

test('it looks once and writes nothing when everything is as wanted', async () => {
  const reconciler = holding(desiredSysctl('a', '1'));
  const round = await run(reconciler, [desiredSysctl('a', '1')]);
  assert.deepEqual(reconciler.log, ['observe']);
  assert.deepEqual(round.results, []);
  assert.equal(isConverged(round), true);
});

test('what the second look sees decides, not what was done', async () => {
  const reconciler = holding();
  reconciler.beforeObserve = () => {
    // Somebody undoes it at once.
    reconciler.world.clear();
  };
  const round = await run(reconciler, [desiredSysctl('a', '1')]);
  assert.deepEqual(round.results, [{ key: 'sysctl:a', outcome: 'done' }]);
  assert.deepEqual(
    round.remaining.actions.map(({ verb, key }) => `${verb} ${key}`),
    ['create sysctl:a'],
  );
  assert.equal(isConverged(round), false);
});

test('an action that failed is no failure when somebody else did its work', async () => {
  const reconciler = holding();
  reconciler.beforeAction = ({ key, after }) => {
    if (after !== undefined) reconciler.world.set(key, { key, state: after, ours: true });
    throw new Error('exists already');
  };
  const round = await run(reconciler, [desiredSysctl('a', '1')]);
  assert.equal(round.results[0]?.outcome, 'failed');
  assert.equal(isConverged(round), true);
});

test('an action whose requirement is absent is planned and not done', async () => {
  const reconciler = holding();
  const asked: string[] = [];
  const round = await run(
    reconciler,
    [desiredSysctl('a', '1', ['link:there', 'link:absent']), desiredSysctl('b', '2', ['link:there'])],
    {
      isPresent: (key) => {
        asked.push(key);
        return key === 'link:there';
      },
    },
  );
  assert.deepEqual(reconciler.log, ['observe', 'create sysctl:b', 'observe']);
  assert.deepEqual(
    round.planned.actions.map(({ key }) => key),
    ['sysctl:a', 'sysctl:b'],
  );
  assert.deepEqual(round.results, [
    { key: 'sysctl:b', outcome: 'done' },
    { key: 'sysctl:a', outcome: 'waiting' },
  ]);
  assert.equal(isConverged(round), false);
  assert.deepEqual(asked, ['link:there', 'link:absent', 'link:there']);
});

test('with nothing but waiting actions it looks once', async () => {
  const reconciler = holding();
  const round = await run(reconciler, [desiredSysctl('a', '1', ['link:absent'])], { isPresent: () => false });
  assert.deepEqual(reconciler.log, ['observe']);
  assert.deepEqual(round.remaining, round.planned);
  assert.equal(isConverged(round), false);
});

for (const { only, want, left } of [
  { only: 'additions', want: ['create sysctl:a', 'update sysctl:b'], left: ['delete sysctl:c'] },
  { only: 'deletions', want: ['delete sysctl:c'], left: ['create sysctl:a', 'update sysctl:b'] },
] as const) {
  test(`asked for ${only} only it leaves the other half alone, and says that it is left`, async () => {
    const reconciler = holding(desiredSysctl('b', 'old'), desiredSysctl('c', 'not wanted'));
    const round = await run(reconciler, [desiredSysctl('a', '1'), desiredSysctl('b', '2')], { only });
    assert.deepEqual(reconciler.log, ['observe', ...want, 'observe']);
    assert.deepEqual(
      round.remaining.actions.map(({ verb, key }) => `${verb} ${key}`),
      left,
    );
  });
}

test('a foreign object in the way keeps a round from being converged', async () => {
  const reconciler = holding();
  reconciler.world.set('sysctl:a', { key: 'sysctl:a', state: { name: 'a', value: 'theirs' }, ours: false });
  const round = await run(reconciler, [desiredSysctl('a', '1')]);
  assert.deepEqual(round.remaining.actions, []);
  assert.equal(isConverged(round), false);
});

test('it rejects with what observing rejects with, and has then done nothing', async () => {
  const reconciler = holding(desiredSysctl('c', 'not wanted'));
  reconciler.beforeObserve = () => {
    throw new Error('cannot see');
  };
  await assert.rejects(run(reconciler, []), /^Error: cannot see$/);
  assert.deepEqual(reconciler.log, ['observe']);
});

test('planning alone writes nothing', async () => {
  const reconciler = holding(desiredSysctl('c', 'not wanted'));
  const plan = await planRound(reconciler, [desiredSysctl('a', '1')], signal);
  assert.equal(plan.actions.length, 2);
  assert.deepEqual(reconciler.log, ['observe']);
});

test('an abort while observing rejects with its reason, and nothing is planned', async () => {
  const stop = new AbortController();
  const reconciler = holding(desiredSysctl('c', 'not wanted'));
  reconciler.beforeObserve = () => stop.abort(new Error('stop'));
  const round = runRound(reconciler, [], { isPresent: () => true }, stop.signal);
  await assert.rejects(round, /^Error: stop$/);
  assert.deepEqual(reconciler.log, ['observe']);
});
