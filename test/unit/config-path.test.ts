/** One file, one name: where the commands look for it, whatever the working directory. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runCommandLine } from '../../src/cli/program.js';
import type { CommandContext } from '../../src/cli/session.js';

/** What the command reads; there is no such file. */
async function pathsRead(...argv: readonly string[]): Promise<readonly string[]> {
  const paths: string[] = [];
  const context = {
    version: '0',
    out: () => {},
    err: () => {},
    signal: new AbortController().signal,
    absolutePath: (path: string) => new URL(path, 'file:///home/admin/').pathname,
    async readConfig(path: string) {
      paths.push(path);
      return { error: `Cannot read ${path}: there is no such file` };
    },
    files: { read: async () => undefined },
    directories: { list: async () => undefined },
    set: () => {},
    settings: () => [],
    logAs: () => {},
    forwarding: async () => ({ end: async () => {} }),
    control: { serve: async () => {}, ask: async () => undefined },
    clock: { now: () => 0, boottimeMs: () => 0, sleep: () => new Promise(() => {}) },
  } as unknown as CommandContext;
  assert.equal(await runCommandLine(context, argv), 65);
  return paths;
}

for (const verb of ['diff', 'apply', 'run', 'status', 'destroy']) {
  test(`${verb} takes its file from the working directory, and by its absolute path`, async () => {
    assert.deepEqual(await pathsRead(verb), ['/home/admin/flannelette.yaml']);
    assert.deepEqual(await pathsRead(verb, '-f', 'a.yaml'), ['/home/admin/a.yaml']);
    assert.deepEqual(await pathsRead(verb, '--file', '../b.yaml'), ['/home/b.yaml']);
    assert.deepEqual(await pathsRead(verb, '-f', '/etc/c.yaml'), ['/etc/c.yaml']);
  });
}
