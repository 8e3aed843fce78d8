/** A writer that is killed leaves the old file or the new one, never half of one. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { isWhole, wholeContent } from '../lab/whole-file.js';

const WRITER = fileURLToPath(new URL('../lab/file-writer.js', import.meta.url));
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
      signal = await died(path, step);
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

/** The signal that ended a writer told to die at `step`; null when it finished before. */
async function died(path: string, step: number): Promise<NodeJS.Signals | null> {
  const writer = spawn(process.execPath, [WRITER, path, String(step)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve) => writer.on('exit', (_, signal) => resolve(signal)));
}

async function killedAfter(path: string, writes: number, eachTime: () => void): Promise<void> {
  const writer = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => writer.on('exit', () => resolve()));
  try {
    let done = 0;
    for await (const dots of writer.stdout) {
      eachTime();
      done += dots.length;
      if (done >= writes) break;
    }
    assert.ok(done >= writes, `the writer ended after ${done} writes`);
  } finally {
    writer.kill('SIGKILL');
    await ended;
  }
}

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'flannelette-killed-'));
  try {
    await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
