/** The real clock, as far as waiting for it is short. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { systemClock, systemRandom } from '../../../src/sys/clock.js';

describe('systemClock', () => {
  it('counts boot time in fractions of a millisecond', () => {
    const readings = Array.from({ length: 1000 }, () => systemClock.boottimeMs());
    assert.deepEqual(
      readings,
      [...readings].sort((left, right) => left - right),
    );
    assert.ok(new Set(readings).size > 100, `${new Set(readings).size} different readings of 1000`);
  });

  it('never wakes early', async () => {
    const { signal } = new AbortController();
    for (const ms of [0, 1, 5, 12.5]) {
      const start = systemClock.boottimeMs();
      await systemClock.sleep(ms, signal);
      const slept = systemClock.boottimeMs() - start;
      assert.ok(slept >= ms, `slept ${slept} of ${ms} ms`);
    }
  });

  it('rejects a sleep with the reason of its signal, before and during', async () => {
    const end = new AbortController();
    const sleep = systemClock.sleep(60_000, end.signal);
    end.abort(new Error('told to stop'));
    await assert.rejects(sleep, /told to stop/);
    await assert.rejects(systemClock.sleep(1, end.signal), /told to stop/);
  });

  it('leaves no listener on a signal that outlives many sleeps', async () => {
    const { signal } = new AbortController();
    for (let count = 0; count < 20; count++) await systemClock.sleep(0, signal);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('sleeps longer than a timer can count', async () => {
    const end = new AbortController();
    let outcome = 'asleep';
    const sleep = systemClock.sleep(2 ** 31, end.signal).then(
      () => (outcome = 'awake'),
      () => (outcome = 'aborted'),
    );
    await systemClock.sleep(20, new AbortController().signal);
    assert.equal(outcome, 'asleep');
    end.abort();
    assert.equal(await sleep, 'aborted');
  });
});

describe('systemRandom', () => {
  it('gives numbers in [0, 1)', () => {
    const numbers = Array.from({ length: 100 }, () => systemRandom.next());
    assert.ok(numbers.every((number) => number >= 0 && number < 1));
  });
});
