import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { configFiles } from '../../../src/sys/config-files.js';
import { diskFiles } from '../../../src/sys/files.js';

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flannelette-config-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

test('of a directory the YAML files are read, in the order of their names', () =>
  withDirectory(async (directory) => {
    for (const name of ['50-b.yml', '10-a.yaml', '.hidden.yaml', 'README.md', '20-c.yaml~'])
      await writeFile(join(directory, name), name);
    assert.deepEqual(await configFiles(directory), [
      { file: join(directory, '10-a.yaml'), text: '10-a.yaml' },
      { file: join(directory, '50-b.yml'), text: '50-b.yml' },
    ]);
  }));

test('a file is itself; what is not there is said', () =>
  withDirectory(async (directory) => {
    const file = join(directory, 'a.yaml');
    await assert.rejects(configFiles(file), /^Error: Cannot read .*a\.yaml: there is no such file$/);
    await assert.rejects(configFiles(directory), /no file in it ends with \.yaml$/);
    await writeFile(file, 'x');
    assert.deepEqual(await configFiles(file), [{ file, text: 'x' }]);
  }));

test('a directory that gives way to another one is waited for', () =>
  withDirectory(async (directory) => {
    const [old, next] = [join(directory, 'conf.d'), join(directory, 'conf.d.on-trial')];
    await mkdir(next);
    await writeFile(join(next, 'a.yaml'), 'x');
    const read = await configFiles(old, () => rename(next, old));
    assert.deepEqual(read, [{ file: join(old, 'a.yaml'), text: 'x' }]);
  }));

test('a file that appears in a watched directory, is replaced or goes away wakes', () =>
  withDirectory(async (directory) => {
    const stop = new AbortController();
    let wakes = 0;
    let woken = () => {};
    const files = diskFiles({ pollMs: 60_000 });
    const change = async (action: () => Promise<void>) => {
      const before = wakes;
      const wake = new Promise<void>((resolve) => {
        woken = resolve;
      });
      await action();
      if (wakes === before) await wake;
    };
    files.watch(
      [directory],
      () => {
        wakes++;
        woken();
      },
      stop.signal,
    );
    const file = join(directory, 'a.yaml');
    await change(() => writeFile(file, 'x'));
    await writeFile(join(directory, 'b'), 'y');
    await change(() => rename(join(directory, 'b'), file));
    await change(() => rm(file));
    stop.abort();
    assert.ok(wakes >= 3);
  }));
