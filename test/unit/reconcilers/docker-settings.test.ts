/** Our keys in Docker's daemon.json, over files in memory. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desired } from '../../../src/model/diff.js';
import { dockerSettingsKey } from '../../../src/model/keys.js';
import type { DockerSettingsState } from '../../../src/model/objects.js';
import type { Files } from '../../../src/ports.js';
import { dockerSettingsReconciler } from '../../../src/reconcilers/docker-settings.js';
import { FakeFiles } from '../../fakes/fake-files.js';

const PATH = '/etc/docker/daemon.json';
const RECORD = '/var/lib/flannelette/flannel0/daemon-json.json';
const FLAGS = '/run/flannel/docker';
const SETTINGS = { bip: '4.0.100.1/24', 'ip-masq': true, mtu: 1472 };
const MOVED = { ...SETTINGS, bip: '4.0.32.1/24' };
const OURS = '"bip": "4.0.100.1/24",\n  "ip-masq": true,\n  "mtu": 1472';
const { signal } = new AbortController();

function wanted(
  settings: DockerSettingsState['settings'] = SETTINGS,
): readonly Desired<DockerSettingsState>[] {
  return [{ key: dockerSettingsKey(PATH), state: { path: PATH, settings, foreign: [] } }];
}

/** One round: what it planned, what it left alone, what came of it. */
async function round(files: Files, desired = wanted(), flags?: string) {
  const place = { path: PATH, recordPath: RECORD, ...(flags !== undefined && { flags }) };
  const reconciler = dockerSettingsReconciler(files, () => place);
  const plan = reconciler.diff(desired, await reconciler.observe(desired, signal));
  const results = await reconciler.apply(plan.actions, signal);
  return {
    plan: plan.actions.map(({ verb, reason }) => `${verb}: ${reason}`),
    foreign: plan.foreign.map(({ reason, blocks }) => `${blocks ? 'blocked: ' : ''}${reason}`),
    outcomes: results.map(({ outcome }) => outcome),
  };
}

async function contentOf(files: Files, path = PATH): Promise<string | undefined> {
  return (await files.read(path))?.content;
}

const NOTHING = { plan: [], foreign: [], outcomes: [] };

describe('docker-settings reconciler', () => {
  it('makes the file where there is none, and writes nothing more', async () => {
    const files = new FakeFiles();
    assert.deepEqual((await round(files)).plan, ['create: bip, ip-masq, mtu not set']);
    assert.equal(await contentOf(files), `{\n  ${OURS}\n}\n`);
    const { writes } = files;
    assert.deepEqual(await round(files), NOTHING);
    assert.equal(files.writes, writes);
  });

  it("keeps the operator's keys, their order, their layout and the file's mode", async () => {
    const mine = '{\n    "log-driver": "journald",\n    "dns": ["10.8.0.1"]\n}\n';
    const files = new FakeFiles({ [PATH]: mine });
    files.chmod(PATH, 0o600);
    await round(files);
    const settings = OURS.replaceAll('\n  ', '\n    ');
    assert.deepEqual(await files.read(PATH), {
      content: mine.replace('\n}', `,\n    ${settings}\n}`),
      mode: 0o600,
    });
    assert.deepEqual((await round(files, [])).plan, ['delete: not wanted any more']);
    assert.deepEqual(await files.read(PATH), { content: mine, mode: 0o600 });
    assert.equal(await contentOf(files, RECORD), undefined);
  });

  it('follows the lease', async () => {
    const files = new FakeFiles({ [PATH]: '{"debug": true}' });
    await round(files);
    assert.deepEqual((await round(files, wanted(MOVED))).plan, [
      'update: bip "4.0.100.1/24", want "4.0.32.1/24"',
    ]);
    assert.equal(
      await contentOf(files),
      '{"debug": true, "bip": "4.0.32.1/24", "ip-masq": true, "mtu": 1472}',
    );
    assert.deepEqual(await round(files, wanted(MOVED)), NOTHING);
  });

  it('takes away a file that it made, and no other', async () => {
    const files = new FakeFiles();
    await round(files);
    await round(files, []);
    assert.equal(await contentOf(files), undefined);

    files.edit(PATH, '{}');
    await round(files);
    await round(files, []);
    assert.equal(await contentOf(files), '{}');
    assert.deepEqual(await round(files, []), NOTHING);
  });

  it("finds the operator's own value in the way before anything is written", async () => {
    const mine = '{"bip": "10.0.0.1/24", "debug": true}';
    const files = new FakeFiles({ [PATH]: mine });
    assert.deepEqual(await round(files), {
      ...NOTHING,
      foreign: [
        'blocked: not ours: bip "10.0.0.1/24", want "4.0.100.1/24"; ip-masq is missing, want true; mtu is missing, want 1472',
      ],
    });
    assert.equal(await contentOf(files), mine);
    assert.equal(files.writes, 0);
    assert.deepEqual(await round(files, []), NOTHING, 'nor is it taken away');
  });

  it("leaves the operator's own value that is as wanted, and leaves it behind", async () => {
    const files = new FakeFiles({ [PATH]: '{"mtu": 1472}' });
    assert.deepEqual((await round(files)).outcomes, ['done']);
    assert.deepEqual(await round(files), NOTHING);
    await round(files, []);
    assert.equal(await contentOf(files), '{"mtu": 1472}');
  });

  it('takes a value that was changed by hand for the new owner of it', async () => {
    const files = new FakeFiles();
    await round(files);
    files.edit(PATH, ((await contentOf(files)) ?? '').replace('1472', '1400'));
    assert.deepEqual((await round(files)).foreign, ['blocked: not ours: mtu 1400, want 1472']);
  });

  it('puts back what was taken out by hand', async () => {
    const files = new FakeFiles();
    await round(files);
    files.edit(PATH, '{"debug": true}');
    assert.deepEqual((await round(files)).outcomes, ['done']);
    assert.match((await contentOf(files)) ?? '', /"debug": true, "bip"/);
  });

  it('does not write into what is no JSON', async () => {
    const files = new FakeFiles({ [PATH]: '{"debug": tr' });
    const { foreign, plan } = await round(files);
    assert.deepEqual(plan, []);
    assert.match(foreign.join(), /^blocked: not ours: cannot be read as JSON: /);
    assert.equal(files.writes, 0);
  });

  it('says when dockerd would be given the same settings twice', async () => {
    const files = new FakeFiles({ [PATH]: '{"bip": "10.0.0.1/24", "mtu": 1400}' });
    assert.deepEqual(await round(files, [], FLAGS), {
      ...NOTHING,
      foreign: ['sets bip, mtu, and so does /run/flannel/docker: dockerd refuses to start with both'],
    });
  });

  for (const writesBeforeCrash of [0, 1, 2]) {
    it(`knows its own again after a crash behind write ${writesBeforeCrash} of 3`, async () => {
      const files = new FakeFiles({ [PATH]: '{"debug": true}' });
      await round(files);
      assert.deepEqual((await round(crashing(files, writesBeforeCrash), wanted(MOVED))).outcomes, ['failed']);
      assert.deepEqual((await round(files, wanted(MOVED))).foreign, []);
      assert.deepEqual(await round(files, wanted(MOVED)), NOTHING);
      await round(files, []);
      assert.equal(await contentOf(files), '{"debug": true}');
      assert.equal(await contentOf(files, RECORD), undefined);
    });
  }
});

/** The disk of a process that dies after some writes. */
function crashing(files: FakeFiles, writes: number): Files {
  let left = writes;
  return {
    read: (path) => files.read(path),
    append: (path, content) => files.append(path, content),
    remove: (path) => files.remove(path),
    watch: () => {},
    async write(path, content, mode) {
      if (left-- <= 0) throw new Error('killed');
      await files.write(path, content, mode);
    },
  };
}
