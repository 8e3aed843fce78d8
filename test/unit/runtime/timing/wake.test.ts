import assert from 'node:assert/strict';
import test from 'node:test';
import { Wake } from '../../../../src/runtime/timing/wake.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { leftOn } from '../left-on.js';

/** Waits, and says at which time that ended. */
function waiting(wake: Wake, clock: FakeClock, ms: number, signal = new AbortController().signal) {
  const ended: { at?: number; error?: unknown } = {};
  void wake.wait(clock, ms, signal).then(
    () => {
      ended.at = clock.boottimeMs();
    },
    (error: unknown) => {
      ended.error = error;
    },
  );
  return ended;
}

test('a wake ends the wait at once', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  const ended = waiting(wake, clock, 1_000);
  await clock.advance(400);
  assert.deepEqual(ended, {});
  wake.wake();
  await settle();
  assert.deepEqual(ended, { at: 400 });
  assert.equal(clock.sleeping, 0);
});

test('without a wake it ends when the time is over', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  const ended = waiting(wake, clock, 1_000);
  await clock.advance(999);
  assert.deepEqual(ended, {});
  await clock.advance(1);
  assert.deepEqual(ended, { at: 1_000 });
});

test('a wake that comes before the wait is not lost', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  wake.wake();
  const ended = waiting(wake, clock, 1_000);
  await settle();
  assert.deepEqual(ended, { at: 0 });
});

test('many wakes end one wait, and the next one waits again', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  for (let n = 0; n < 5; n++) wake.wake();
  waiting(wake, clock, 1_000);
  await settle();
  const second = waiting(wake, clock, 1_000);
  await settle();
  assert.deepEqual(second, {});
  for (let n = 0; n < 5; n++) wake.wake();
  await settle();
  assert.deepEqual(second, { at: 0 });
  const third = waiting(wake, clock, 1_000);
  await clock.advance(1_000);
  assert.deepEqual(third, { at: 1_000 });
});

test('a wake between two waits is for the second', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  waiting(wake, clock, 10);
  await clock.advance(10);
  wake.wake();
  const second = waiting(wake, clock, 1_000);
  await settle();
  assert.deepEqual(second, { at: 10 });
});

test('no time to wait is no wait', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  const ended = waiting(wake, clock, 0);
  await settle();
  assert.deepEqual(ended, { at: 0 });
});

test('an abort rejects with its reason, before the wait and during it', async () => {
  const reason = new Error('stop');
  const [clock, wake] = [new FakeClock(), new Wake()];
  const before = waiting(wake, clock, 1_000, AbortSignal.abort(reason));
  await settle();
  assert.deepEqual(before, { error: reason });
  const stop = new AbortController();
  const during = waiting(wake, clock, 1_000, stop.signal);
  await clock.advance(10);
  stop.abort(reason);
  await settle();
  assert.deepEqual(during, { error: reason });
  assert.equal(clock.sleeping, 0);
});

test('an abort rejects even if a wake is there too', async () => {
  const reason = new Error('stop');
  const [clock, wake] = [new FakeClock(), new Wake()];
  wake.wake();
  const ended = waiting(wake, clock, 1_000, AbortSignal.abort(reason));
  await settle();
  assert.deepEqual(ended, { error: reason });
});

test('a thousand waits leave nothing on the signal', async () => {
  const [clock, wake] = [new FakeClock(), new Wake()];
  const { signal } = new AbortController();
  for (let n = 0; n < 1_000; n++) {
    const wait = wake.wait(clock, 1_000, signal);
    wake.wake();
    await wait;
  }
  assert.equal(leftOn(signal), 0);
  assert.equal(clock.sleeping, 0);
});
