/**
 * `make worlds`: COUNT random hosts, each twice: once as apply plans it itself, once as diff has saved it. The operations must
 * be those of diff, byte for byte. The result goes to docs/worlds/result.json.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { measuredCommit, measuringMachine } from '../lab/measurement.js';
import { repositoryRoot } from '../lab/repository.js';
import { choices } from './choices.js';
import { checkOnFakes } from './fake-bench.js';
import type { Course } from './properties.js';

const SAID_EVERY = 1_000;

const count = Number(process.env.COUNT || '10000');
const seed = Number(process.env.SEED || Date.now() % 1e9);
const verdicts: Record<Course['verdict'], number> = { undecided: 0, 'in sync': 0, converged: 0, conflict: 0 };
let [worlds, operations] = [0, 0];

await fc.assert(
  fc.asyncProperty(choices, async (chosen) => {
    const own = await checkOnFakes(chosen, false);
    const saved = await checkOnFakes(chosen, true);
    assert.equal(JSON.stringify(saved), JSON.stringify(own), 'the same world, another plan');
    verdicts[own.verdict]++;
    operations += own.announced.length;
    if (++worlds % SAID_EVERY === 0) process.stdout.write(`${worlds} worlds\n`);
  }),
  { numRuns: count, seed, includeErrorInReport: true },
);

const path = join(repositoryRoot(), 'docs/worlds/result.json');
const where = { commit: measuredCommit(), machine: measuringMachine() };
const result = { date: new Date().toISOString(), ...where, seed, worlds, operations, verdicts };
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(
  `${worlds} worlds, seed ${seed}: ${operations} operations, the same in diff and in both applies\n`,
);
