/** The table of defects must fit the program: `make mutants` proves the rest. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { repositoryRoot } from '../lab/repository.js';
import { compiledPath, mutated } from '../mutants/copy.js';
import { MUTATIONS } from '../mutants/table.js';

test('every defect can be put into the program, and names tests that there are', () => {
  for (const mutation of MUTATIONS) {
    const source = readFileSync(compiledPath(repositoryRoot(), mutation.file), 'utf8');
    assert.notEqual(mutated(source, mutation), source, `${mutation.file}: ${mutation.does}`);
    assert.ok(mutation.red.length > 0, `${mutation.file}: ${mutation.does}: no test`);
    for (const name of mutation.red) {
      assert.ok(existsSync(join(repositoryRoot(), 'dist/test', `${name}.test.js`)), name);
    }
  }
});

test('no defect stands there twice, and each has its own name', () => {
  const defects = MUTATIONS.map(({ file, text, replacement }) => `${file}\n${text}\n${replacement}`);
  assert.equal(new Set(defects).size, MUTATIONS.length);
  assert.equal(new Set(MUTATIONS.map(({ file, does }) => `${file} ${does}`)).size, MUTATIONS.length);
});
