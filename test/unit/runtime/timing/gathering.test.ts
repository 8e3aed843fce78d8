/** A few changes wait for nothing; what keeps coming goes together. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Gathering } from '../../../../src/runtime/timing/gathering.js';
import { FakeClock } from '../../../fakes/fake-clock.js';

const GAP_MS = 50;

let clock: FakeClock;
let stop: AbortController;
let passed: (readonly number[])[];
let gathering: Gathering<number>;

beforeEach(() => {
  clock = new FakeClock();
  stop = new AbortController();
  passed = [];
  gathering = new Gathering(clock, GAP_MS, (items) => passed.push(items), stop.signal);
});

/** As many as go at once. */
function burst(): void {
  for (let number = 1; number <= 10; number++) gathering.add([number]);
}

test('passes a few on at once, and what follows together', async () => {
  burst();
  assert.deepEqual(
    passed,
    Array.from({ length: 10 }, (_, index) => [index + 1]),
  );
  gathering.add([11]);
  gathering.add([12, 13]);
  assert.equal(passed.length, 10);
  await clock.advance(GAP_MS);
  assert.deepEqual(passed.at(-1), [11, 12, 13]);
});

test('goes on in that rhythm as long as something comes', async () => {
  burst();
  for (let ms = 0; ms < 10 * GAP_MS; ms++) {
    gathering.add([ms]);
    await clock.advance(1);
  }
  assert.equal(passed.length, 20);
  assert.deepEqual(
    passed.slice(10).flat(),
    Array.from({ length: 10 * GAP_MS }, (_, ms) => ms),
  );
});

test('is at once again after a pause, the sooner the shorter the row', async () => {
  burst();
  await clock.advance(GAP_MS);
  gathering.add([11]);
  assert.deepEqual(passed.at(-1), [11]);
  gathering.add([12]);
  assert.deepEqual(passed.at(-1), [11]);
  await clock.advance(11 * GAP_MS);
  passed = [];
  burst();
  assert.equal(passed.length, 10);
});

test('passes nothing on once it is over', async () => {
  burst();
  gathering.add([11]);
  stop.abort();
  await clock.advance(GAP_MS);
  assert.equal(passed.length, 10);
});
