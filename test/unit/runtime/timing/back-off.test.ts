import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { backOffMs, isWorthSaying } from '../../../../src/runtime/timing/back-off.js';

const BACK_OFF = { firstMs: 100, mostMs: 10_000 };

for (const { failures, chance, want } of [
  { failures: 1, chance: 0.5, want: 100 },
  { failures: 2, chance: 0.5, want: 200 },
  { failures: 3, chance: 0.5, want: 400 },
  { failures: 7, chance: 0.5, want: 6_400 },
  { failures: 8, chance: 0.5, want: 10_000 },
  { failures: 1_000_000, chance: 0.5, want: 10_000 },
  { failures: 1, chance: 0, want: 75 },
  { failures: 1, chance: 0.999, want: 125 },
  { failures: 8, chance: 0, want: 7_500 },
  { failures: 8, chance: 0.999, want: 12_495 },
]) {
  test(`after ${failures} failures in a row, with chance ${chance}, it waits ${want} ms`, () => {
    assert.equal(backOffMs(BACK_OFF, failures, chance), want);
  });
}

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('every wait is within a quarter of its step, and no step is shorter than the one before', () => {
  fc.assert(
    fc.property(
      fc.record({
        firstMs: fc.integer({ min: 1, max: 10_000 }),
        mostMs: fc.integer({ min: 1, max: 600_000 }),
      }),
      fc.integer({ min: 1, max: 2_000 }),
      chance,
      (backOff, failures, spread) => {
        const step = backOffMs(backOff, failures, 0.5);
        const wait = backOffMs(backOff, failures, spread);
        assert.ok(Math.abs(wait - step) <= step / 4 + 1, `${wait} is too far from ${step}`);
        assert.ok(step <= backOff.mostMs, `${step} is more than the most`);
        assert.ok(backOffMs(backOff, failures + 1, 0.5) >= step, 'the next step is shorter');
      },
    ),
  );
});

test('of failures in a row the 1st, 2nd, 4th, 8th... are worth saying', () => {
  const said = Array.from({ length: 100 }, (_, index) => index + 1).filter(isWorthSaying);
  assert.deepEqual(said, [1, 2, 4, 8, 16, 32, 64]);
});
