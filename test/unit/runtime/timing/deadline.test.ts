import assert from 'node:assert/strict';
import test from 'node:test';
import { DeadlineError, withDeadline } from '../../../../src/runtime/timing/deadline.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { leftOn } from '../left-on.js';

const NEVER = new Promise<never>(() => {});

test('the result of work that is in time passes through, and no timer is left', async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  assert.equal(await withDeadline(clock, 1_000, 'the work', signal, async () => 7), 7);
  await settle();
  assert.equal(clock.sleeping, 0);
  assert.equal(leftOn(signal), 0);
});

test('so does its error, thrown or rejected', async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const error = new Error('broken');
  const rejecting = withDeadline(clock, 1_000, 'the work', signal, () => Promise.reject(error));
  await assert.rejects(rejecting, error);
  const throwing = withDeadline(clock, 1_000, 'the work', signal, () => {
    throw error;
  });
  await assert.rejects(throwing, error);
  await settle();
  assert.equal(clock.sleeping, 0);
  assert.equal(leftOn(signal), 0);
});

test('at the deadline it rejects though the work ignores its signal, and the signal is aborted', async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  let given: AbortSignal | undefined;
  let error: unknown;
  withDeadline(clock, 1_000, 'the work', signal, (limited) => {
    given = limited;
    return NEVER;
  }).catch((thrown: unknown) => {
    error = thrown;
  });
  await clock.advance(999);
  assert.deepEqual([given?.aborted, error], [false, undefined]);
  await clock.advance(1);
  assert.ok(error instanceof DeadlineError);
  assert.equal(error.message, 'Cannot finish the work: no result after 1000 ms');
  assert.equal(given?.reason, error);
  assert.equal(leftOn(signal), 0);
});

test('work that fails after its deadline troubles nobody', async () => {
  const clock = new FakeClock();
  const working = withDeadline(clock, 10, 'the work', new AbortController().signal, async (limited) => {
    await clock.sleep(50, new AbortController().signal);
    limited.throwIfAborted();
  });
  const rejected = assert.rejects(working, DeadlineError);
  await clock.advance(10);
  await rejected;
  // An unhandled rejection would fail this test.
  await clock.advance(100);
});

test('an abort rejects with its reason at once, though the work ignores its signal', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const reason = new Error('stop');
  let given: AbortSignal | undefined;
  const working = withDeadline(clock, 1_000, 'the work', stop.signal, (limited) => {
    given = limited;
    return NEVER;
  });
  stop.abort(reason);
  await assert.rejects(working, reason);
  assert.equal(given?.reason, reason);
  assert.equal(clock.sleeping, 0);
});

test('work that lets go of nothing does not make the signal above it remember', async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  for (let n = 0; n < 100; n++) {
    await withDeadline(clock, 1_000, 'the work', signal, async (limited) =>
      limited.addEventListener('abort', () => {}),
    );
  }
  assert.equal(leftOn(signal), 0);
});
