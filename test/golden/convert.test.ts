/**
 * flanneld's options and what `convert` makes of them. A case is a folder: arguments.txt, one argument a line, and the files
 * named there → flannelette.yaml and stderr.txt, which ends with the exit code. Rewritten by `make golden`.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { configErrorsText } from '../../src/cli/config-errors.js';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext } from '../../src/cli/session.js';
import { readConfig } from '../../src/config/read-config.js';
import { repositoryRoot } from '../lab/repository.js';

const FOLDER = join(repositoryRoot(), 'test/golden/convert');
const CASES = readdirSync(FOLDER).sort();

for (const name of CASES) {
  test(`converts ${name}`, async () => {
    const folder = join(FOLDER, name);
    const { stdout, stderr } = await converted(folder);
    assert.doesNotMatch(stdout + stderr, /hunter2/);
    if (process.env.GOLDEN === 'write') {
      rmSync(join(folder, 'flannelette.yaml'), { force: true });
      if (stdout !== '') writeFileSync(join(folder, 'flannelette.yaml'), stdout);
      writeFileSync(join(folder, 'stderr.txt'), stderr);
    }
    assert.equal(stderr, expected(join(folder, 'stderr.txt')));
    assert.equal(stdout, expected(join(folder, 'flannelette.yaml')));
    if (stdout === '') return;
    const reading = readConfig(stdout, 'flannelette.yaml');
    assert.ok('config' in reading, 'errors' in reading ? configErrorsText(reading.errors, () => stdout) : '');
  });
}

test('has cases of every kind', () => {
  assert.ok(CASES.length >= 40, `${CASES.length} cases`);
  const exits = CASES.map((name) =>
    expected(join(FOLDER, name, 'stderr.txt'))
      .trimEnd()
      .split('\n')
      .at(-1),
  );
  assert.deepEqual([...new Set(exits)].sort(), ['exit 0', 'exit 1', 'exit 64', 'exit 65']);
});

/** The program with its files taken out of the case's folder. */
async function converted(folder: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  let [stdout, stderr] = ['', ''];
  const context = {
    version: '0',
    out: (text: string) => {
      stdout += text;
    },
    err: (text: string) => {
      stderr += text;
    },
    signal: new AbortController().signal,
    readText: async (path: string) =>
      existsSync(join(folder, path)) ? readFileSync(join(folder, path), 'utf8') : undefined,
  } as Partial<CommandContext> as CommandContext;
  const argv = readFileSync(join(folder, 'arguments.txt'), 'utf8').split('\n').slice(0, -1);
  const exitCode = await runCommandLine(context, ['convert', ...argv]);
  return { stdout, stderr: `${stderr}exit ${exitCode}\n` };
}

/** Nothing on standard output is no file. */
function expected(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}
