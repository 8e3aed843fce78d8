/** What every Files does, over the fake and over a real directory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Files, SystemError } from '../../src/ports.js';
import { eventually } from '../lab/eventually.js';

/** Files below `root`, which is there and empty, and others who change them. */
export interface FilesWorld {
  readonly files: Files;
  readonly root: string;
  edit(path: string, content: string): void;
  chmod(path: string, mode: number): void;
  /** A file, or a directory with all that is in it. */
  delete(path: string): void;
}

export type WithFiles = (body: (world: FilesWorld) => Promise<void>) => Promise<void>;

const WAKE_MS = 5000;

export function filesContract(name: string, withFiles: WithFiles): void {
  describe(`${name} as Files: reads and writes`, () => {
    it('finds nothing where there is nothing', () =>
      withFiles(async ({ files, root, edit }) => {
        edit(`${root}/file`, 'content');
        assert.equal(await files.read(`${root}/absent`), undefined);
        assert.equal(await files.read(`${root}/absent/below`), undefined);
        assert.equal(await files.read(`${root}/file/below`), undefined);
      }));

    it('reads back what it wrote, with the mode', () =>
      withFiles(async ({ files, root }) => {
        for (const [content, mode] of [
          ['FLANNEL_MTU=1472\n', 0o644],
          ['', 0o600],
          ['ünïcødé 🎉\n', 0o666],
        ] as const) {
          await files.write(`${root}/file`, content, mode);
          assert.deepEqual(await files.read(`${root}/file`), { content, mode });
        }
      }));

    it('appends to what is there, and makes nothing', () =>
      withFiles(async ({ files, root }) => {
        await files.write(`${root}/file`, 'one\n', 0o600);
        await files.append(`${root}/file`, 'zwei ü\n');
        await files.append(`${root}/file`, '');
        assert.deepEqual(await files.read(`${root}/file`), { content: 'one\nzwei ü\n', mode: 0o600 });
        await rejectsWith('ENOENT', `${root}/absent`, files.append(`${root}/absent`, 'content'));
        assert.equal(await files.read(`${root}/absent`), undefined);
      }));

    it('makes the directories that are missing', () =>
      withFiles(async ({ files, root }) => {
        await files.write(`${root}/run/flannel/subnet.env`, 'content', 0o644);
        assert.equal((await files.read(`${root}/run/flannel/subnet.env`))?.content, 'content');
      }));

    it('reads what others wrote', () =>
      withFiles(async ({ files, root, edit, chmod }) => {
        edit(`${root}/file`, 'by hand');
        chmod(`${root}/file`, 0o640);
        assert.deepEqual(await files.read(`${root}/file`), { content: 'by hand', mode: 0o640 });
      }));

    it('removes, also what is gone already', () =>
      withFiles(async ({ files, root, edit }) => {
        edit(`${root}/file`, 'content');
        await files.remove(`${root}/file`);
        assert.equal(await files.read(`${root}/file`), undefined);
        await files.remove(`${root}/file`);
        await files.remove(`${root}/absent/below`);
      }));

    it('refuses what is no file, and leaves it as it is', () =>
      withFiles(async ({ files, root, edit }) => {
        edit(`${root}/directory/file`, 'content');
        const directory = `${root}/directory`;
        await rejectsWith('EISDIR', directory, files.read(directory));
        await rejectsWith('EISDIR', directory, files.write(directory, 'other', 0o644));
        await rejectsWith('EISDIR', directory, files.remove(directory));
        await rejectsWith('ENOTDIR', directory, files.write(`${directory}/file/below`, 'other', 0o644));
        await rejectsWith('ENOTDIR', directory, files.write(`${directory}/file/a/b`, 'other', 0o644));
        assert.equal((await files.read(`${directory}/file`))?.content, 'content');
      }));

    it('reads up to 1 MiB and no more', () =>
      withFiles(async ({ files, root, edit }) => {
        const most = 'x'.repeat(1024 * 1024);
        edit(`${root}/most`, most);
        assert.equal((await files.read(`${root}/most`))?.content, most);
        edit(`${root}/more`, `${most}x`);
        await rejectsWith('EFBIG', `${root}/more`, files.read(`${root}/more`));
      }));
  });

  describe(`${name} as Files: watches`, () => {
    const changes: readonly [string, (world: FilesWorld) => unknown][] = [
      ['written', ({ files, root }) => files.write(`${root}/a/watched`, 'other', 0o644)],
      ['edited in place', ({ edit, root }) => edit(`${root}/a/watched`, 'other')],
      ['given another mode', ({ chmod, root }) => chmod(`${root}/a/watched`, 0o600)],
      ['deleted', ({ delete: remove, root }) => remove(`${root}/a/watched`)],
      ['deleted with its directory', ({ delete: remove, root }) => remove(`${root}/a`)],
      ['made in a directory that was missing', ({ edit, root }) => edit(`${root}/b/c/watched`, 'new')],
    ];
    for (const [what, change] of changes) {
      it(`wakes when a file is ${what}`, () =>
        withFiles(async (world) => {
          world.edit(`${world.root}/a/watched`, 'content');
          await watching(world, ['a/watched', 'b/c/watched'], async (wakes) => {
            await change(world);
            await eventually('woken', WAKE_MS, () => assert.ok(wakes() > 0, `${wakes()} wakes`));
          });
        }));
    }

    it('goes on waking after a directory was deleted and made again', () =>
      withFiles(async (world) => {
        const { root, edit, delete: remove } = world;
        edit(`${root}/a/watched`, 'content');
        await watching(world, ['a/watched'], async (wakes) => {
          for (let round = 0; round < 3; round++) {
            for (const change of [() => remove(`${root}/a`), () => edit(`${root}/a/watched`, 'again')]) {
              const before = wakes();
              change();
              await eventually('woken', WAKE_MS, () => assert.ok(wakes() > before, `${wakes()} wakes`));
            }
          }
        });
      }));

    it('does not wake for its neighbours', () =>
      withFiles(async (world) => {
        const { root, edit, files, delete: remove } = world;
        edit(`${root}/a/watched`, 'content');
        await watching(world, ['a/watched'], async (wakes) => {
          edit(`${root}/a/neighbour`, 'content');
          await files.write(`${root}/a/other`, 'content', 0o644);
          remove(`${root}/a/neighbour`);
          edit(`${root}/aa/watched`, 'content');
          // The wake for a change that matters comes after those that must not.
          edit(`${root}/a/watched`, 'other');
          await eventually('woken', WAKE_MS, () => assert.ok(wakes() > 0, 'no wake'));
          assert.equal(wakes(), 1);
        });
      }));

    it('is silent once aborted', () =>
      withFiles(async ({ files, root, edit }) => {
        let wakes = 0;
        const [before, after] = [new AbortController(), new AbortController()];
        before.abort();
        for (const { signal } of [before, after]) files.watch([`${root}/file`], () => wakes++, signal);
        after.abort();
        edit(`${root}/file`, 'content');
        // Another watch's wake shows that the kernel has told all there is to tell.
        const witness = new AbortController();
        let seen = 0;
        files.watch([`${root}/file`], () => seen++, witness.signal);
        edit(`${root}/file`, 'other');
        await eventually('witness woken', WAKE_MS, () => assert.ok(seen > 0));
        witness.abort();
        assert.equal(wakes, 0);
      }));
  });
}

async function watching(
  { files, root }: FilesWorld,
  names: readonly string[],
  body: (wakes: () => number) => Promise<void>,
): Promise<void> {
  const watch = new AbortController();
  let wakes = 0;
  files.watch(
    names.map((name) => `${root}/${name}`),
    () => wakes++,
    watch.signal,
  );
  try {
    // What happened before the watch must not count: a turn of the event loop would deliver it.
    await turn();
    assert.equal(wakes, 0);
    await body(() => wakes);
  } finally {
    watch.abort();
  }
}

async function rejectsWith(code: string, path: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof SystemError, String(error));
    assert.equal(error.code, code);
    assert.ok(error.message.includes(path) && error.message.includes(code), error.message);
    return true;
  });
}
