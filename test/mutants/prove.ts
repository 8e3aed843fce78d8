/**
 * Proves that the tests would notice: breaks the program in each way of the table, in a copy, and runs the tests
 * that must turn red. Ends with 1 when a defect survives, or when the tests are red without any.
 *
 *   node dist/test/mutants/prove.js [TEXT]     only rows whose file or defect contains TEXT
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProcess } from '../lab/process.js';
import { withMutant } from './copy.js';
import { MUTATIONS, type Mutation } from './table.js';

const NO_SHRINKING = fileURLToPath(new URL('no-shrinking.js', import.meta.url));
const LONGEST_RUN_MS = 300_000;
/** Worlds of the simulation: in the three of `make check` only a part of all faults comes. */
const ENVIRONMENT = { WORLDS: '40' };

interface Trial {
  readonly mutation?: Mutation;
  readonly test: string;
}

/** Green and red are told by the tests; one that does not come to an end proves nothing. */
type Colour = 'green' | 'red' | 'hung';

const [only = ''] = process.argv.slice(2);
const chosen = MUTATIONS.filter(({ file, does }) => file.includes(only) || does.includes(only));
const trials: readonly Trial[] = [
  ...[...new Set(chosen.flatMap(({ red }) => red))].map((test) => ({ test })),
  ...chosen.flatMap((mutation) => mutation.red.map((test) => ({ mutation, test }))),
];
if (chosen.length === 0) throw new Error(`Cannot prove anything: no row speaks of "${only}"`);

let wrong = 0;
const queue = [...trials];
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let trial = queue.shift(); trial !== undefined; trial = queue.shift()) await report(trial);
  }),
);
process.stdout.write(`${chosen.length} defects, ${wrong} surprises\n`);
process.exitCode = wrong === 0 ? 0 : 1;

async function report({ mutation, test }: Trial): Promise<void> {
  const startedAt = performance.now();
  const colour = await withMutant(mutation, (root) => colourOf(root, test));
  const isAsExpected = colour === (mutation === undefined ? 'green' : 'red');
  if (!isAsExpected) wrong++;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const what = mutation === undefined ? 'no defect' : `${mutation.file}: ${mutation.does}`;
  const verdict = isAsExpected ? colour : `${colour.toUpperCase()}, must not be`;
  process.stdout.write(`${verdict.padEnd(6)} ${seconds.padStart(5)} s  ${what}  [${test}]\n`);
}

async function colourOf(root: string, test: string): Promise<Colour> {
  const argv = [process.execPath, '--import', NO_SHRINKING, join(root, 'dist/test', `${test}.test.js`)];
  const run = runProcess(argv, { timeoutMs: LONGEST_RUN_MS, environment: ENVIRONMENT });
  return run.then(
    ({ code }) => (code === 0 ? 'green' : 'red'),
    () => 'hung',
  );
}
