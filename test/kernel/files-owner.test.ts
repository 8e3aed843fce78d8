/** Root and the daemon's user write to the same directories: neither must shut the other out. */
import assert from 'node:assert/strict';
import { chmod, chown, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemDirectories } from '../../src/sys/directories.js';
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

test("a file in a directory of root's stays whose it is, unless others may put one there", async () => {
  for (const [mode, uid] of [
    [0o755, USER],
    [0o1777, 0],
  ] as const) {
    await inDirectoryOf(0, async (directory) => {
      await chmod(directory, mode);
      const path = join(directory, 'flannelette.yaml');
      await systemFiles.write(path, 'old', 0o640);
      await chown(path, USER, USER);
      await systemFiles.write(path, 'new', 0o640);
      const found = await stat(path);
      assert.deepEqual([found.uid, found.gid, found.mode & 0o7777], [uid, uid, 0o640]);
    });
  }
});

test('a copied directory belongs to whom the first one does, with all that is in it', async () => {
  await inDirectoryOf(0, async (directory) => {
    const [from, to] = [join(directory, 'conf.d'), join(directory, 'copy.d')];
    await systemFiles.write(join(from, 'inner/10-fleet.yaml'), '', 0o640);
    await chown(join(from, 'inner/10-fleet.yaml'), 0, USER);
    await chown(join(from, 'inner'), USER, 0);
    await systemDirectories.copy(from, to);
    for (const [name, uid, gid] of [
      ['.', 0, 0],
      ['inner', USER, 0],
      ['inner/10-fleet.yaml', 0, USER],
    ] as const) {
      const found = await stat(join(to, name));
      assert.deepEqual([found.uid, found.gid], [uid, gid], name);
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
