/** The scoreboard with a few injections of each fault, as `make faults` runs it with many. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { measure } from '../faults/measure.js';
import { shortfalls } from '../faults/result.js';
import { ROWS } from '../faults/rows.js';
import { Scene } from '../faults/scene.js';

/** A machine that does other things beside; the committed result is judged by the bar itself. */
const SLACK = { factor: 10, lost: 500 };
const ORIGIN = { date: 'now', commit: 'here' };

test('the fault scoreboard', { timeout: 300_000 }, async (t) => {
  await Scene.play(async (scene) => {
    for (const row of ROWS) {
      await t.test(`${row.id}: ${row.fault}`, async () => {
        const result = await measure(row, scene, 'test', ORIGIN);
        assert.deepEqual(shortfalls(row.bar, result, SLACK), [], JSON.stringify(result));
      });
    }
  });
});
