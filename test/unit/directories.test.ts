/** Whole directories, on the disk and as the fake has them. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { Directories, Files } from '../../src/ports.js';
import { systemDirectories } from '../../src/sys/directories.js';
import { systemFiles } from '../../src/sys/files.js';
import { FakeFiles } from '../fakes/fake-files.js';

type Body = (root: string, directories: Directories, files: Files) => Promise<void>;

const PLACES: Readonly<Record<string, (body: Body) => Promise<void>>> = {
  async disk(body) {
    const root = await mkdtemp(join(tmpdir(), 'flannelette-'));
    try {
      await body(root, systemDirectories, systemFiles);
    } finally {
      await rm(root, { recursive: true });
    }
  },
  async fake(body) {
    const files = new FakeFiles();
    await body('/root', files, files);
  },
};

for (const [place, within] of Object.entries(PLACES)) {
  test(`${place}: a directory is listed, copied, renamed and removed with all that is in it`, () =>
    within(async (root, directories, files) => {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => `${root}/${name}`) as [string, string, string];
      await files.write(`${a}/two.yaml`, '2', 0o640);
      await files.write(`${a}/inner/one.yaml`, '1', 0o644);
      assert.deepEqual(await directories.list(a), ['inner', 'two.yaml']);
      assert.equal(await directories.list(`${a}/two.yaml`), undefined);
      assert.equal(await directories.list(b), undefined);
      await directories.copy(a, b);
      assert.deepEqual(await files.read(`${b}/two.yaml`), { content: '2', mode: 0o640 });
      assert.deepEqual(await files.read(`${b}/inner/one.yaml`), { content: '1', mode: 0o644 });
      await directories.move(b, c);
      assert.deepEqual(
        [await directories.list(b), await directories.list(c)],
        [undefined, ['inner', 'two.yaml']],
      );
      await assert.rejects(directories.copy(`${root}/none`, b), { code: 'ENOENT' });
      await directories.link(`${a}/two.yaml`, `${a}/second.yaml`);
      await assert.rejects(directories.link(`${a}/two.yaml`, `${a}/second.yaml`), { code: 'EEXIST' });
      await files.write(`${a}/two.yaml`, 'new', 0o600);
      assert.deepEqual(await files.read(`${a}/second.yaml`), { content: '2', mode: 0o640 });
      await directories.move(`${a}/second.yaml`, `${a}/two.yaml`);
      assert.deepEqual(await files.read(`${a}/two.yaml`), { content: '2', mode: 0o640 });
      for (const path of [c, `${a}/two.yaml`, `${root}/none`]) await directories.removeTree(path);
      assert.deepEqual([await directories.list(c), await directories.list(a)], [undefined, ['inner']]);
    }));
}
