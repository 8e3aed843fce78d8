import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desired } from '../../../src/model/diff.js';
import type { FileState } from '../../../src/model/objects.js';
import { SystemError } from '../../../src/ports.js';
import { fileReconciler } from '../../../src/reconcilers/file.js';
import { settle } from '../../fakes/fake-clock.js';
import { FakeFiles } from '../../fakes/fake-files.js';
import { NOTHING_TO_DO, oneRound } from './one-round.js';

const ENV = '/run/flannel/subnet.env';
const DOCKER = '/run/flannel/docker';
const RECORD = '/var/lib/flannelette/flannel0/files.json';
const CONTENT = 'FLANNEL_SUBNET=4.0.100.1/24\nFLANNEL_MTU=1472\n';

function wanting(content = CONTENT, mode = 0o644): Desired<FileState>[] {
  return [{ key: `file:${ENV}`, state: { path: ENV, content, mode } }];
}

function hostWith(
  contents: Readonly<Record<string, string>> = {},
): readonly [FakeFiles, ReturnType<typeof fileReconciler>] {
  const files = new FakeFiles(contents);
  return [files, fileReconciler(files, () => ({ paths: [ENV, DOCKER], recordPath: RECORD }))];
}

describe('file reconciler', () => {
  it('writes the file with its mode, once', async () => {
    const [files, reconciler] = hostWith();
    assert.deepEqual(await oneRound(reconciler, wanting()), {
      plan: [`create file:${ENV}: missing`],
      foreign: [],
      outcomes: ['done'],
    });
    assert.deepEqual(await files.read(ENV), { content: CONTENT, mode: 0o644 });
    assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
    assert.equal(files.writes, 2, 'the file and the record');
  });

  for (const { name, have, reason } of [
    {
      name: 'the first line that differs',
      have: CONTENT.replace('1472', '1450'),
      reason: 'line 2 "FLANNEL_MTU=1450", want "FLANNEL_MTU=1472"',
    },
    {
      name: 'the line where it breaks off',
      have: 'FLANNEL_SUBNET=4.0.100.1/24\nFLANNEL_M',
      reason: 'line 2 "FLANNEL_M" without line feed, want "FLANNEL_MTU=1472"',
    },
    { name: 'that it is empty', have: '', reason: 'line 1 none, want "FLANNEL_SUBNET=4.0.100.1/24"' },
    {
      name: 'a missing line feed at the end',
      have: CONTENT.trimEnd(),
      reason: 'line 2 "FLANNEL_MTU=1472" without line feed, want "FLANNEL_MTU=1472"',
    },
    { name: 'a line too many', have: `${CONTENT}MORE=1\nAND=2\n`, reason: 'line 3 "MORE=1", want none' },
  ]) {
    it(`says of another content ${name}, and writes it anew`, async () => {
      const [files, reconciler] = hostWith({ [ENV]: have });
      const { plan, outcomes } = await oneRound(reconciler, wanting());
      assert.deepEqual(plan, [`update file:${ENV}: ${reason}`]);
      assert.deepEqual(outcomes, ['done']);
      assert.equal((await files.read(ENV))?.content, CONTENT);
    });
  }

  it('puts right another mode', async () => {
    const [files, reconciler] = hostWith({ [ENV]: CONTENT });
    files.chmod(ENV, 0o600);
    assert.deepEqual((await oneRound(reconciler, wanting())).plan, [
      `update file:${ENV}: mode 0600, want 0644`,
    ]);
    assert.equal((await files.read(ENV))?.mode, 0o644);
  });

  it('removes what it wrote and is not wanted any more, and then the record', async () => {
    const [files, reconciler] = hostWith({ '/run/flannel/other': 'theirs' });
    await oneRound(reconciler, wanting('FLANNEL_MTU=1400\n'));
    await oneRound(reconciler, wanting());
    assert.deepEqual((await oneRound(reconciler, [])).plan, [`delete file:${ENV}: not wanted any more`]);
    assert.deepEqual(files.lines(), ['file /run/flannel/other 0644 "theirs"']);
  });

  for (const { name, have } of [
    { name: 'somebody else wrote', have: 'FLANNEL_SUBNET=10.5.1.1/24\n' },
    { name: 'somebody edited', have: `${CONTENT}# mine\n` },
  ]) {
    it(`leaves what ${name}, and says so`, async () => {
      const [files, reconciler] = hostWith();
      await oneRound(reconciler, wanting());
      files.edit(ENV, have);
      assert.deepEqual(await oneRound(reconciler, []), {
        plan: [],
        foreign: [`file:${ENV}: not what was written here: left alone`],
        outcomes: [],
      });
      assert.equal((await files.read(ENV))?.content, have);
    });
  }

  it('removes what it wrote at the places of an earlier configuration', async () => {
    const files = new FakeFiles();
    let paths = [ENV, DOCKER];
    const reconciler = fileReconciler(files, () => ({ paths, recordPath: RECORD }));
    await oneRound(reconciler, wanting());
    paths = ['/run/other/subnet.env', DOCKER];
    const moved = { path: '/run/other/subnet.env', content: CONTENT, mode: 0o644 };
    assert.deepEqual((await oneRound(reconciler, [{ key: `file:${moved.path}`, state: moved }])).plan, [
      `create file:${moved.path}: missing`,
      `delete file:${ENV}: not wanted any more`,
    ]);
    assert.equal(await files.read(ENV), undefined);
  });

  it('knows what it wrote also when it died in between', async () => {
    const newer = CONTENT.replace('1472', '1400');
    for (const there of [CONTENT, newer]) {
      const [files, reconciler] = hostWith();
      await oneRound(reconciler, wanting());
      const { write } = files;
      // The record is written once more after the file: this death comes right before or after the file's own turn.
      files.write = async (path, content, mode) => {
        if (path === ENV) throw new SystemError('Cannot write: died', 'EIO');
        return write.call(files, path, content, mode);
      };
      await oneRound(reconciler, wanting(newer));
      files.write = write;
      files.edit(ENV, there);
      assert.deepEqual((await oneRound(reconciler, [])).plan, [`delete file:${ENV}: not wanted any more`]);
    }
  });

  it('forgets what it wrote before: somebody who puts it back has a reason', async () => {
    const [files, reconciler] = hostWith();
    await oneRound(reconciler, wanting());
    await oneRound(reconciler, wanting(CONTENT.replace('1472', '1400')));
    files.edit(ENV, CONTENT);
    assert.deepEqual((await oneRound(reconciler, [])).plan, []);
  });

  it('takes a record that cannot be read for none', async () => {
    for (const record of ['', 'null', '[]', '{"/run/flannel/subnet.env": 5}', '{']) {
      const [files, reconciler] = hostWith({ [ENV]: CONTENT, [RECORD]: record });
      const { plan, foreign } = await oneRound(reconciler, []);
      assert.deepEqual([plan, foreign.length], [[], 1], record);
      assert.equal((await files.read(ENV))?.content, CONTENT);
    }
  });

  it('writes a file also when it cannot be recorded, and says so', async () => {
    const [files, reconciler] = hostWith({ '/var/lib/flannelette': 'no directory' });
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['failed ENOTDIR']);
    assert.equal((await files.read(ENV))?.content, CONTENT);
  });

  it('fails with what the disk says', async () => {
    const [files, reconciler] = hostWith();
    files.failure = { writes: new SystemError('Cannot write: no space left', 'ENOSPC') };
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['failed ENOSPC']);
  });

  it('is stopped by one that cannot be read at that one alone', async () => {
    const [files, reconciler] = hostWith({ [`${ENV}/inside`]: 'a directory stands in its place' });
    const options = { path: DOCKER, content: 'DOCKER_OPT_MTU="--mtu=1472"\n', mode: 0o644 };
    const { plan, foreign } = await oneRound(reconciler, [
      ...wanting(),
      { key: `file:${DOCKER}`, state: options },
    ]);
    assert.deepEqual(plan, [`create file:${DOCKER}: missing`]);
    assert.deepEqual(foreign, [`file:${ENV}: not ours: Cannot read ${ENV}: EISDIR`]);
    assert.equal((await files.read(DOCKER))?.content, options.content);
  });

  it("wakes on this instance's files", async () => {
    const [files, reconciler] = hostWith();
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    files.edit('/run/flannel/other', 'x');
    await settle();
    assert.equal(wakes, 0);
    files.edit(DOCKER, 'x');
    await settle();
    assert.equal(wakes, 1);
  });

  it('wakes on the files of the present configuration, not on those of an earlier one', async () => {
    const files = new FakeFiles();
    let paths = [ENV];
    const reconciler = fileReconciler(files, () => ({ paths, recordPath: RECORD }));
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    paths = [DOCKER];
    await reconciler.observe([], new AbortController().signal);
    files.edit(ENV, 'x');
    await settle();
    assert.equal(wakes, 0);
    files.edit(DOCKER, 'x');
    await settle();
    assert.equal(wakes, 1);
  });
});
