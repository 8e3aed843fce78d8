/** docs/faults.md against the rows and what `make faults` measured last. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { PAGE_PATH, page, RESULT_PATH } from '../faults/page.js';
import type { Result } from '../faults/result.js';

test('the page says what was measured', () => {
  const text = page(JSON.parse(readFileSync(RESULT_PATH, 'utf8')) as Result);
  if (process.env.GOLDEN === 'write') writeFileSync(PAGE_PATH, text);
  assert.equal(readFileSync(PAGE_PATH, 'utf8'), text);
});
