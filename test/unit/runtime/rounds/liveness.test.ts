import assert from 'node:assert/strict';
import test from 'node:test';
import { Liveness } from '../../../../src/runtime/rounds/liveness.js';

const BEAT_MS = 1_000;

/** A loop that may take two beats for whatever it is at. */
function turn(count: number) {
  return { count, mostMs: 2 * BEAT_MS };
}

test('a loop that turns at every beat is never stuck', () => {
  const liveness = new Liveness(BEAT_MS);
  for (let count = 0; count < 10; count++)
    assert.deepEqual(liveness.beat(new Map([['route', turn(count)]])), []);
});

test('a loop that stopped is stuck after more beats than allowed, and no longer once it turns again', () => {
  const liveness = new Liveness(BEAT_MS);
  const beats = [5, 5, 5, 5, 5, 6, 6].map((count) => liveness.beat(new Map([['route', turn(count)]])).length);
  assert.deepEqual(beats, [0, 0, 0, 1, 1, 0, 0]);
});

test('a loop that never turned is stuck like one that stopped', () => {
  const liveness = new Liveness(BEAT_MS);
  const beats = [0, 0, 0, 0].map((count) => liveness.beat(new Map([['route', turn(count)]])));
  assert.deepEqual(beats, [[], [], [], ['route']]);
});

test('each loop has its own time for what it is at', () => {
  const liveness = new Liveness(BEAT_MS);
  const turns = new Map([
    ['lease', { count: 1, mostMs: 10 * BEAT_MS }],
    ['route', { count: 1, mostMs: BEAT_MS }],
  ]);
  const beats = Array.from({ length: 4 }, () => liveness.beat(turns));
  assert.deepEqual(beats, [[], [], ['route'], ['route']]);
});
