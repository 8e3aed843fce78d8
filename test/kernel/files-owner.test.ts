/** Root and the daemon's user write to the same directories: neither must shut the other out. */
import assert from 'node:assert/strict';
import { chown, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemFiles } from '../../src/sys/files.js';

const USER = 65534;

test('what root writes in a directory of somebody else is theirs', async () => {
  await inDirectoryOf(USER, async (directory) => {
    await systemFiles.write(join(directory, 'flannel0/inner/published.json'), '{}', 0o644);
    await systemFiles.write(join(directory, 'subnet.env'), 'A=1\n', 0o600);
    for (const [path, mode] of [
      ['flannel0', 0o755],
      ['flannel0/inner', 0o755],
      ['flannel0/inner/published.json', 0o644],
      ['subnet.env', 0o600],
    ] as const) {
      const { uid, gid, mode: found } = await stat(join(directory, path));
      assert.deepEqual([uid, gid, found & 0o777], [USER, USER, mode], path);
    }
  });
});

test("what root writes in a directory of root's is root's", async () => {
  await inDirectoryOf(0, async (directory) => {
    await systemFiles.write(join(directory, 'flannel0/published.json'), '{}', 0o644);
    for (const path of ['flannel0', 'flannel0/published.json']) {
      assert.equal((await stat(join(directory, path))).uid, 0, path);
    }
  });
});

async function inDirectoryOf(owner: number, body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flannelette-owner-'));
  try {
    await chown(directory, owner, owner);
    await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
