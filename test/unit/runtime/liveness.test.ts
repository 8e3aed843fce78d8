import assert from 'node:assert/strict';
import test from 'node:test';
import { Liveness } from '../../../src/runtime/liveness.js';

test('a loop that turns at every beat is never stuck', () => {
  const liveness = new Liveness(2);
  for (let turns = 0; turns < 10; turns++) assert.deepEqual(liveness.beat(new Map([['route', turns]])), []);
});

test('a loop that stopped is stuck after more beats than allowed, and no longer once it turns again', () => {
  const liveness = new Liveness(2);
  const beats = [5, 5, 5, 5, 5, 6, 6].map((turns) => liveness.beat(new Map([['route', turns]])).length);
  assert.deepEqual(beats, [0, 0, 0, 1, 1, 0, 0]);
});

test('a loop that never turned is stuck like one that stopped', () => {
  const liveness = new Liveness(1);
  const beats = [0, 0, 0].map((turns) => liveness.beat(new Map([['route', turns]])));
  assert.deepEqual(beats, [[], [], ['route']]);
});

test('one stuck loop is named among others that turn', () => {
  const liveness = new Liveness(0);
  liveness.beat(
    new Map([
      ['link', 1],
      ['route', 1],
    ]),
  );
  assert.deepEqual(
    liveness.beat(
      new Map([
        ['link', 2],
        ['route', 1],
      ]),
    ),
    ['route'],
  );
});
