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
const CONTENT = 'FLANNEL_SUBNET=4.0.100.1/24\nFLANNEL_MTU=1472\n';

function wanting(content = CONTENT, mode = 0o644): Desired<FileState>[] {
  return [{ key: `file:${ENV}`, state: { path: ENV, content, mode } }];
}

function hostWith(
  contents: Readonly<Record<string, string>> = {},
): readonly [FakeFiles, ReturnType<typeof fileReconciler>] {
  const files = new FakeFiles(contents);
  return [files, fileReconciler(files, () => [ENV, DOCKER])];
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
    assert.equal(files.writes, 1);
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

  it("removes those of this instance's files that are not wanted any more, and nothing beside them", async () => {
    const [files, reconciler] = hostWith({ [ENV]: CONTENT, [DOCKER]: 'old', '/run/flannel/other': 'theirs' });
    assert.deepEqual((await oneRound(reconciler, wanting())).plan, [
      `delete file:${DOCKER}: not wanted any more`,
    ]);
    assert.equal(await files.read(DOCKER), undefined);
    assert.equal((await files.read('/run/flannel/other'))?.content, 'theirs');
  });

  it('fails with what the disk says', async () => {
    const [files, reconciler] = hostWith();
    files.failure = { writes: new SystemError('Cannot write: no space left', 'ENOSPC') };
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['failed ENOSPC']);
  });

  it('plans nothing while a file cannot be read', async () => {
    const [files, reconciler] = hostWith();
    files.failure = { reads: new SystemError('Cannot read: denied', 'EACCES') };
    await assert.rejects(oneRound(reconciler, wanting()), { code: 'EACCES' });
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
});
