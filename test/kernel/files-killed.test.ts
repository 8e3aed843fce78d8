/** A writer that is killed leaves the old file or the new one, never half of one. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { diedAt, killedAfter } from '../lab/killed-writer.js';
import { isWhole, wholeContent } from '../lab/whole-file.js';

const OLD = wholeContent(-1);
/** More than a write has; the loop ends with the first writer that gets through alive. */
const MOST_STEPS = 40;
const KILLS = 10;
const WRITES_EACH = 30;

test('is whole when the writer dies before, in or after any step of a write', async () => {
  let step = 0;
  for (let signal: NodeJS.Signals | null = 'SIGKILL'; signal !== null; ) {
    assert.ok(++step < MOST_STEPS, 'the writer never got through');
    await withDirectory(async (directory) => {
      const path = join(directory, 'file');
      writeFileSync(path, OLD);
      signal = await diedAt(path, step);
      const content = readFileSync(path, 'utf8');
      const isOld = content === OLD && signal !== null;
      assert.ok(isOld || content === wholeContent(0), `step ${step}: ${content.length} characters`);
      const others = readdirSync(directory).filter((name) => name !== 'file');
      assert.ok(
        others.every((name) => signal !== null && name.startsWith('.file.new-')),
        `step ${step}: ${others}`,
      );
    });
  }
  // stat, mkdir, readdir, open, writeFile, chmod, sync, rename, open, sync; then one that gets through
  assert.ok(step > 10, `only ${step - 1} steps`);
});

test(`is whole in every read while writers are killed ${KILLS} times in ${KILLS * WRITES_EACH} writes`, async () => {
  await withDirectory(async (directory) => {
    const path = join(directory, 'file');
    writeFileSync(path, OLD);
    for (let kill = 0; kill < KILLS; kill++) {
      const check = () => assert.ok(isWhole(readFileSync(path, 'utf8')), `half a file at kill ${kill}`);
      await killedAfter(path, WRITES_EACH, check);
      check();
    }
  });
});

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-killed-'));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
