/** Where a write cannot succeed, the old file stays, nothing is left beside it, and the error says why. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { outputOf } from '../lab/process.js';

const PROGRAM = fileURLToPath(new URL('../lab/failing-writes.js', import.meta.url));

for (const { how, code, meaning, later } of [
  { how: 'full', code: 'ENOSPC', meaning: 'no space left on device', later: 'new' },
  { how: 'read-only', code: 'EROFS', meaning: 'read-only file system', later: 'old' },
  { how: 'forbidden', code: 'EACCES', meaning: 'permission denied', later: 'old' },
]) {
  test(`a ${how} file system keeps the old file`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flannelette-failing-'));
    try {
      const command = ['unshare', '--mount', process.execPath, PROGRAM, how, directory];
      assert.deepEqual(JSON.parse(await outputOf(command)), {
        failed: { code, message: `Cannot write ${directory}/subnet.env: ${meaning} (${code})` },
        names: ['subnet.env'],
        content: 'old',
        later,
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
