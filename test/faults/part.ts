/**
 * A part of the scoreboard with few injections each, a line of JSON for each row:
 *
 *   node part.js PART OF     each of the OF processes has a scene of its own
 */
import { measure } from './measure.js';
import type { Row } from './row.js';
import { ROWS } from './rows.js';
import { Scene } from './scene.js';

const ORIGIN = { date: 'now', commit: 'here' };
const [part = 0, of = 1] = process.argv.slice(2).map(Number);

await Scene.play(async (scene) => {
  for (const row of rowsOf(part)) {
    const startMs = performance.now();
    const result = await measure(row, scene, 'test', ORIGIN);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    process.stderr.write(`${row.id}: ${Math.round(performance.now() - startMs)} ms\n`);
  }
});

/** Those of a stage all in one part, so that it is set once; the others in turn. */
function rowsOf(number: number): readonly Row[] {
  const usual = ROWS.filter(({ stage }) => stage === undefined);
  const mine = usual.filter((_, index) => index % of === number);
  const staged = ROWS.filter(
    ({ stage }) => stage !== undefined && number === (stage === 'side' ? 0 : of - 1),
  );
  return [...mine, ...staged];
}
