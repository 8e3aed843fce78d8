/** Malformed files and what the operator is told, line, column and all: NN-name.yaml → NN-name.txt, rewritten by `make golden`. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { configErrorsText } from '../../src/cli/config-errors.js';
import { readConfig } from '../../src/config/read-config.js';
import { repositoryRoot } from '../lab/repository.js';

const FOLDER = join(repositoryRoot(), 'test/golden/config');
const CASES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .sort();

for (const name of CASES) {
  test(`says what is wrong in ${name}`, () => {
    const text = readFileSync(join(FOLDER, name), 'utf8');
    const result = readConfig(text, 'flannelette.yaml');
    assert.ok('errors' in result, `${name} is valid`);
    const shown = configErrorsText(result.errors, () => text);
    assert.doesNotMatch(shown, /hunter2/);
    const path = join(FOLDER, name.replace(/\.yaml$/, '.txt'));
    if (process.env.GOLDEN === 'write') writeFileSync(path, shown);
    assert.equal(
      shown,
      existsSync(path) ? readFileSync(path, 'utf8') : '(no expected file yet: make golden)',
    );
  });
}

test('has an expectation for each malformed file and no others', () => {
  const texts = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
  assert.deepEqual(
    texts.sort(),
    CASES.map((name) => name.replace(/\.yaml$/, '.txt')),
  );
  assert.ok(CASES.length >= 45, `${CASES.length} cases`);
});
