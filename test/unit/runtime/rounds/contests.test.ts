import assert from 'node:assert/strict';
import test from 'node:test';
import type { Action } from '../../../../src/model/plan.js';
import { Contests, MOST_REPAIRS, REPAIR_WINDOW_MS } from '../../../../src/runtime/rounds/contests.js';

const CREATE: Action = {
  verb: 'create',
  key: 'route:4.0.0.0/16',
  reason: 'missing',
  after: { link: 'flannel0' },
  requires: [],
  interrupts: false,
};

/** One every second from 0, the last at MOST_REPAIRS - 1 seconds. */
function repaired(contests: Contests, action = CREATE): boolean[] {
  return Array.from({ length: MOST_REPAIRS }, (_, second) => contests.done(action, second * 1_000));
}

test('five times within a minute is contested, and said once', () => {
  const contests = new Contests();
  assert.deepEqual(repaired(contests), [false, false, false, false, true]);
  assert.equal(contests.done(CREATE, 6_000), false);
});

test('what is contested is held until the oldest repair is a minute ago', () => {
  const contests = new Contests();
  repaired(contests);
  assert.equal(contests.heldUntil(CREATE.key, 5_000), REPAIR_WINDOW_MS);
  assert.equal(contests.heldUntil(CREATE.key, REPAIR_WINDOW_MS), undefined);
  assert.equal(contests.heldUntil('route:5.0.0.0/8', 5_000), undefined);
});

test('something else that is wanted of the same object is no repetition', () => {
  const contests = new Contests();
  for (let second = 0; second < 20; second++) {
    const after = { link: second % 2 === 0 ? 'flannel0' : 'flannel1' };
    assert.equal(contests.done({ ...CREATE, after }, second * 1_000), false);
  }
  assert.equal(contests.heldUntil(CREATE.key, 20_000), undefined);
});

test('deleting what comes again and again is a fight too', () => {
  const { after: before, ...rest } = CREATE;
  const contests = new Contests();
  assert.equal(repaired(contests, { ...rest, verb: 'delete', before }).at(-1), true);
});

test('it is forgotten when somebody asks for another try', () => {
  const contests = new Contests();
  repaired(contests);
  contests.forget();
  assert.equal(contests.heldUntil(CREATE.key, 5_000), undefined);
});

test('what is repaired for the first time makes no other fight forgotten', () => {
  const contests = new Contests();
  repaired(contests);
  for (let other = 0; other < 20; other++)
    contests.done({ ...CREATE, key: `route:5.0.${other}.0/24` }, 5_000 + other);
  assert.equal(contests.heldUntil(CREATE.key, 6_000), REPAIR_WINDOW_MS);
  contests.done({ ...CREATE, key: 'route:6.0.0.0/8' }, 2 * REPAIR_WINDOW_MS);
  assert.equal(contests.done(CREATE, 2 * REPAIR_WINDOW_MS), false);
});
