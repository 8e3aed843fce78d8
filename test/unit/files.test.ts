/** Files on a real disk: what a memory has not, such as links, umask, crashes and other people's directories. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { SystemError } from '../../src/ports.js';
import { diskFiles, systemFiles } from '../../src/sys/files.js';
import { type FilesWorld, filesContract } from '../contract/files-contract.js';
import { eventually } from '../lab/eventually.js';

const WAKE_MS = 5000;
const run = promisify(execFile);

filesContract('the disk', withDirectory);

describe('a file on the disk', () => {
  it('gets the mode that was asked for, and its new directories 0755, whatever the umask', () =>
    withDirectory(async ({ files, root }) => {
      const before = process.umask(0o077);
      try {
        await files.write(`${root}/run/flannel/subnet.env`, 'content', 0o644);
      } finally {
        process.umask(before);
      }
      assert.equal(statSync(`${root}/run/flannel/subnet.env`).mode & 0o777, 0o644);
      for (const name of ['run', 'run/flannel']) {
        assert.equal(statSync(`${root}/${name}`).mode & 0o777, 0o755, name);
      }
    }));

  it('leaves the mode of directories that were there', () =>
    withDirectory(async ({ files, root }) => {
      mkdirSync(`${root}/private`, { mode: 0o700 });
      await files.write(`${root}/private/new/file`, 'content', 0o644);
      assert.equal(statSync(`${root}/private`).mode & 0o777, 0o700);
    }));

  it('replaces a symbolic link and spares what it points to', () =>
    withDirectory(async ({ files, root }) => {
      writeFileSync(`${root}/target`, 'precious');
      symlinkSync('target', `${root}/link`);
      await files.write(`${root}/link`, 'ours', 0o644);
      assert.equal(readFileSync(`${root}/target`, 'utf8'), 'precious');
      assert.ok(statSync(`${root}/link`).ino !== statSync(`${root}/target`).ino);
      assert.equal(readFileSync(`${root}/link`, 'utf8'), 'ours');
    }));

  it('leaves nothing behind when a write fails', () =>
    withDirectory(async ({ files, root }) => {
      mkdirSync(`${root}/taken/inside`, { recursive: true });
      await assert.rejects(files.write(`${root}/taken`, 'content', 0o644), SystemError);
      await assert.rejects(files.write(`${root}/${'n'.repeat(300)}`, 'content', 0o644), {
        code: 'ENAMETOOLONG',
      });
      assert.deepEqual(readdirSync(root), ['taken']);
    }));

  it('says what failed, where and why', () =>
    withDirectory(async ({ files, root }) => {
      mkdirSync(`${root}/taken`);
      await assert.rejects(files.write(`${root}/taken`, '', 0o644), {
        name: 'SystemError',
        code: 'EISDIR',
        message: `Cannot write ${root}/taken: illegal operation on a directory (EISDIR)`,
      });
    }));

  it('removes what a killed process left long ago, and nothing younger or foreign', () =>
    withDirectory(async ({ files, root }) => {
      const names = [
        '.file.new-0123456789ab',
        '.file.new-ba9876543210',
        '.file.swp',
        '.file2.new-0123456789ab',
      ];
      for (const name of names) writeFileSync(`${root}/${name}`, '');
      const hourAgo = Date.now() / 1000 - 3600;
      for (const name of names.slice(1)) utimesSync(`${root}/${name}`, hourAgo, hourAgo);
      await files.write(`${root}/file`, 'content', 0o644);
      assert.deepEqual(readdirSync(root).sort(), [
        '.file.new-0123456789ab',
        '.file.swp',
        '.file2.new-0123456789ab',
        'file',
      ]);
    }));

  it('is neither waited for nor replaced when it is a FIFO or a device', () =>
    withDirectory(async ({ files, root }) => {
      await run('mkfifo', [`${root}/fifo`]);
      symlinkSync('fifo', `${root}/link`);
      symlinkSync('/dev/null', `${root}/null`);
      for (const name of ['fifo', 'link', 'null']) {
        await assert.rejects(files.read(`${root}/${name}`), { code: 'EINVAL' }, name);
        await assert.rejects(files.write(`${root}/${name}`, 'content', 0o644), { code: 'EINVAL' }, name);
      }
      assert.ok(statSync(`${root}/fifo`).isFIFO());
      assert.equal(readlinkSync(`${root}/null`), '/dev/null');
      assert.deepEqual(readdirSync(root).sort(), ['fifo', 'link', 'null']);
    }));

  it('is read in full when its size says nothing', async () => {
    const status = await systemFiles.read('/proc/self/status');
    assert.match(status?.content ?? '', /^Name:/);
  });
});

describe('a watch on the disk', () => {
  it('sees the swapped link of a Kubernetes ConfigMap', () =>
    withDirectory(async (world) => {
      const { root } = world;
      for (const version of ['..v1', '..v2']) {
        mkdirSync(`${root}/${version}`);
        writeFileSync(`${root}/${version}/flannelette.yaml`, version);
      }
      symlinkSync('..v1', `${root}/..data`);
      symlinkSync('..data/flannelette.yaml', `${root}/flannelette.yaml`);
      await wakesAfter(world, 'flannelette.yaml', () => {
        symlinkSync('..v2', `${root}/..data_tmp`);
        renameSync(`${root}/..data_tmp`, `${root}/..data`);
      });
      assert.equal(readlinkSync(`${root}/..data`), '..v2');
    }));

  it('goes on behind the swapped link', () =>
    withDirectory(async (world) => {
      const { root } = world;
      for (const version of ['v1', 'v2']) {
        mkdirSync(`${root}/${version}`);
        writeFileSync(`${root}/${version}/file`, version);
      }
      symlinkSync('v1', `${root}/current`);
      await watching(world, 'current/file', async (woken) => {
        await woken(() => {
          symlinkSync(`${root}/v2`, `${root}/next`);
          renameSync(`${root}/next`, `${root}/current`);
        });
        await woken(() => writeFileSync(`${root}/v2/file`, 'edited'));
      });
    }));

  it('sees a file renamed over the watched one, as editors do', () =>
    withDirectory(async (world) => {
      writeFileSync(`${world.root}/file`, 'old');
      await wakesAfter(world, 'file', () => {
        writeFileSync(`${world.root}/.file.swp`, 'new');
        renameSync(`${world.root}/.file.swp`, `${world.root}/file`);
      });
    }));

  it('sees a directory renamed away, and one renamed into its place', () =>
    withDirectory(async (world) => {
      const { root } = world;
      mkdirSync(`${root}/a`);
      writeFileSync(`${root}/a/file`, 'old');
      mkdirSync(`${root}/b`);
      writeFileSync(`${root}/b/file`, 'new');
      mkdirSync(`${root}/c`);
      await watching(world, 'a/file', async (woken) => {
        await woken(() => renameSync(`${root}/a`, `${root}/away`));
        await woken(() => renameSync(`${root}/b`, `${root}/a`));
        await woken(() => writeFileSync(`${root}/a/file`, 'edited'));
        await woken(() => {
          renameSync(`${root}/a`, `${root}/b`);
          renameSync(`${root}/c`, `${root}/a`);
        });
        await woken(() => writeFileSync(`${root}/a/file`, 'made'));
      });
    }));

  it('sees a file in directories that appear one after the other', () =>
    withDirectory(async (world) => {
      const { root } = world;
      await watching(world, 'a/b/c/file', async (woken) => {
        for (const directory of ['a', 'a/b', 'a/b/c']) await woken(() => mkdirSync(`${root}/${directory}`));
        await woken(() => writeFileSync(`${root}/a/b/c/file`, 'content'));
      });
    }));

  it('follows a link that leads nowhere yet, and one that leads to itself', () =>
    withDirectory(async (world) => {
      const { root } = world;
      symlinkSync('later/file', `${root}/link`);
      symlinkSync('loop', `${root}/loop`);
      await wakesAfter(world, 'link', () => {
        mkdirSync(`${root}/later`);
        writeFileSync(`${root}/later/file`, 'content');
      });
      await wakesAfter(world, 'loop', () => {
        rmSync(`${root}/loop`);
        writeFileSync(`${root}/loop`, 'content');
      });
    }));

  it('has the new content ready when it wakes', () =>
    withDirectory(async ({ files, root, edit }) => {
      const watch = new AbortController();
      let last: string | undefined;
      const wake = () => {
        last = readFileSync(`${root}/a/file`, 'utf8');
      };
      mkdirSync(`${root}/a`);
      files.watch([`${root}/a/file`], wake, watch.signal);
      for (let round = 0; round < 50; round++) edit(`${root}/a/file`, `round ${round}`);
      await eventually('last content seen', WAKE_MS, () => assert.equal(last, 'round 49'));
      watch.abort();
    }));

  it('falls back on looking when the kernel does not report', () =>
    withDirectory(async (world) => {
      // Nothing is reported for a file that another name of it changes: that directory is not on the way.
      const { root } = world;
      mkdirSync(`${root}/a`);
      writeFileSync(`${root}/a/file`, 'old');
      await run('ln', [`${root}/a/file`, `${root}/other-name`]);
      const polled = { ...world, files: diskFiles({ pollMs: 50 }) };
      await wakesAfter(polled, 'a/file', () => writeFileSync(`${root}/other-name`, 'changed'));
    }));

  it('does not keep the process alive', () =>
    withDirectory(async ({ root }) => {
      const program = `
        import { systemFiles } from ${JSON.stringify(new URL('../../src/sys/files.js', import.meta.url).href)};
        systemFiles.watch([${JSON.stringify(`${root}/file`)}], () => {}, new AbortController().signal);
      `;
      await run(process.execPath, ['--input-type=module', '--eval', program], { timeout: 20_000 });
    }));
});

async function withDirectory(body: (world: FilesWorld) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'flannelette-files-'));
  try {
    await body({
      files: systemFiles,
      root,
      edit(path, content) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
      },
      chmod: chmodSync,
      delete: (path) => rmSync(path, { recursive: true }),
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

type Woken = (change: () => void) => Promise<void>;

/** Each change must bring a wake of its own. */
async function watching(
  { files, root }: FilesWorld,
  name: string,
  body: (woken: Woken) => Promise<void>,
): Promise<void> {
  const watch = new AbortController();
  let wakes = 0;
  files.watch([`${root}/${name}`], () => wakes++, watch.signal);
  try {
    await body(async (change) => {
      const before = wakes;
      change();
      await eventually(`woken by ${change}`, WAKE_MS, () => assert.ok(wakes > before, `${wakes} wakes`));
    });
  } finally {
    watch.abort();
  }
}

function wakesAfter(world: FilesWorld, name: string, change: () => void): Promise<void> {
  return watching(world, name, (woken) => woken(change));
}
