/** The scoreboard with a few injections of each fault, as `make faults` runs it with many. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { type RowResult, shortfalls } from '../faults/result.js';
import { ROWS } from '../faults/rows.js';
import { LongProcess } from '../lab/process.js';

/** A machine that does other things beside; the committed result is judged by the bar itself. */
const SLACK = { factor: 10, lost: 500 };
/** Most faults are waited for: scenes side by side fit on the cores. */
const PARTS = 2;
const PROGRAM = fileURLToPath(new URL('../faults/part.js', import.meta.url));

test('the fault scoreboard', { timeout: 300_000 }, async (t) => {
  const parts = Array.from(
    { length: PARTS },
    (_, part) => new LongProcess([process.execPath, PROGRAM, String(part), String(PARTS)]),
  );
  try {
    const codes = await Promise.all(parts.map(({ exited }) => exited));
    const lines = parts.flatMap((part) => part.lines);
    const results = lines
      .filter((line) => line.startsWith('{"id":'))
      .map((line) => JSON.parse(line) as RowResult);
    t.diagnostic(lines.filter((line) => / ms$/.test(line)).join(', '));
    for (const { id, fault, bar } of ROWS) {
      await t.test(`${id}: ${fault}`, () => {
        const result = results.find((one) => one.id === id);
        assert.ok(result, `was not measured:\n${lines.filter((line) => !line.startsWith('{')).join('\n')}`);
        assert.deepEqual(shortfalls(bar, result, SLACK), [], JSON.stringify(result));
      });
    }
    assert.deepEqual(codes, Array(PARTS).fill(0));
  } finally {
    await Promise.all(parts.map((part) => part.stop()));
  }
});
