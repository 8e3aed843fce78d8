import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { NetworkConfigState } from '../../../src/model/objects.js';
import type { Action } from '../../../src/model/plan.js';
import { SystemError } from '../../../src/ports.js';
import { networkConfigReconciler, type Publishing } from '../../../src/reconcilers/network-config.js';
import { snapshotAccess } from '../../../src/runtime/store/snapshot-access.js';
import { FakeFiles } from '../../fakes/fake-files.js';
import { FakeStore } from '../../fakes/fake-store.js';
import { NOTHING_TO_DO, oneRound, outcomes } from './one-round.js';

const NEVER = new AbortController().signal;
const RECORD = '/var/lib/flannelette/flannel0/published.json';

/** The file's network, with another port or without. */
function wanting(port = 8285): Desired<NetworkConfigState>[] {
  const ipv4 = {
    cidr: parsePrefix('4.0.0.0/16'),
    subnetLength: 24,
    subnetMin: parseAddress('4.0.1.0'),
    subnetMax: parseAddress('4.0.255.0'),
  };
  return [{ key: 'network-config:config', state: { config: { ipv4, backend: { type: 'udp', port } } } }];
}

const SAME = '{"Network":"4.0.0.0/16"}';
const OTHER = '{"Network":"4.0.0.0/16","Backend":{"Type":"udp","Port":9000}}';

class PublishWorld {
  readonly store = new FakeStore();
  readonly access = snapshotAccess(this.store);
  readonly files = new FakeFiles();
  publish: Publishing['publish'];
  readonly reconciler = networkConfigReconciler(this.access, this.files, () => ({
    publish: this.publish,
    recordPath: RECORD,
  }));

  constructor(publish: Publishing['publish'] = 'create') {
    this.publish = publish;
  }

  /** One round after the store was read. */
  async round(desired: readonly Desired<NetworkConfigState>[]) {
    await this.access.refresh(NEVER);
    return oneRound(this.reconciler, desired);
  }

  value(): Promise<string | undefined> {
    return this.store.valueOf('config');
  }
}

const CONFLICT = /^network-config:config: not ours: .*9000/;

for (const publish of ['create', 'always'] as const) {
  describe(`network-config reconciler, publish: ${publish}`, () => {
    it('writes the network where there is none, once', async () => {
      const world = new PublishWorld(publish);
      assert.deepEqual(await world.round(wanting()), {
        plan: ['create network-config:config: not published yet'],
        foreign: [],
        outcomes: ['done'],
      });
      assert.match((await world.value()) ?? '', /^\{"Network":"4\.0\.0\.0\/16"/);
      assert.deepEqual(await oneRound(world.reconciler, wanting()), NOTHING_TO_DO);
      assert.equal(world.store.asked.write, 1);
    });

    it('hangs it on no etcd lease: it outlives every host', async () => {
      const world = new PublishWorld(publish);
      await world.round(wanting());
      const { entries } = await world.store.snapshot(NEVER);
      assert.deepEqual(
        entries.map(({ key, lease }) => [key, lease]),
        [['config', '0']],
      );
    });

    it('takes a network that says the same in fewer words for the same', async () => {
      const world = new PublishWorld(publish);
      await world.store.put('config', SAME);
      if (publish === 'always') {
        // Noted once, so that a later change of this host's file can be told from one of somebody else's.
        assert.match(
          (await world.round(wanting())).plan.join(),
          /^update network-config:config: as wanted, but not noted/,
        );
      }
      assert.deepEqual(await world.round(wanting()), NOTHING_TO_DO);
      assert.equal(await world.value(), SAME);
    });

    it('never deletes it', async () => {
      const world = new PublishWorld(publish);
      await world.round(wanting());
      assert.deepEqual(await world.round([]), NOTHING_TO_DO);
      assert.notEqual(await world.value(), undefined);
    });

    it('does not overwrite what somebody published since it was planned', async () => {
      const world = new PublishWorld(publish);
      world.store.beforeWrite = () => world.store.put('config', OTHER);
      assert.deepEqual((await world.round(wanting())).outcomes, ['failed LostRaceError']);
      assert.equal(await world.value(), OTHER);
    });

    it('plans nothing before the store was read', async () => {
      const world = new PublishWorld(publish);
      await assert.rejects(oneRound(world.reconciler, wanting()), /^ObserveError: Cannot read fake store/);
    });
  });
}

describe('network-config reconciler, publish: create', () => {
  it("says field by field how somebody's network differs, and leaves it", async () => {
    const world = new PublishWorld();
    await world.store.put('config', OTHER);
    const { plan, foreign } = await world.round(wanting());
    assert.deepEqual(plan, []);
    assert.match(foreign.join(), CONFLICT);
    assert.equal(await world.value(), OTHER);
  });

  it("leaves this host's own earlier network too", async () => {
    const world = new PublishWorld();
    await world.round(wanting());
    const { plan, foreign } = await world.round(wanting(9000));
    assert.deepEqual(plan, []);
    assert.match(foreign.join(), CONFLICT);
  });

  it('says so when what is in the store is no network', async () => {
    const world = new PublishWorld();
    await world.store.put('config', '{"Network":');
    const { plan, foreign } = await world.round(wanting());
    assert.deepEqual(plan, []);
    assert.match(foreign.join(), /^network-config:config: not ours: what is in the store is not a network: /);
  });

  it('remembers nothing', async () => {
    const world = new PublishWorld();
    await world.round(wanting());
    assert.equal(world.files.writes, 0);
  });
});

describe('network-config reconciler, publish: always', () => {
  it("replaces the network when this host's file has changed", async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    const { plan, outcomes: done } = await world.round(wanting(9000));
    assert.match(plan.join(), /^update network-config:config: .*8285.*9000/);
    assert.deepEqual(done, ['done']);
    assert.match((await world.value()) ?? '', /9000/);
    assert.deepEqual(await world.round(wanting(9000)), NOTHING_TO_DO);
  });

  it('does not fight: what somebody else changed afterwards is a conflict', async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    await world.store.put('config', OTHER);
    const { plan, foreign } = await world.round(wanting());
    assert.deepEqual(plan, []);
    assert.match(foreign.join(), CONFLICT);
    assert.equal(await world.value(), OTHER);
  });

  it('leaves what was there before this host wrote at all: its file may be the older one', async () => {
    const world = new PublishWorld('always');
    await world.store.put('config', OTHER);
    const { plan, foreign } = await world.round(wanting());
    assert.deepEqual(plan, []);
    assert.match(foreign.join(), CONFLICT);
    assert.equal(await world.value(), OTHER);
  });

  it('replaces what it saw in place, once its own file has changed', async () => {
    const world = new PublishWorld('always');
    await world.store.put('config', SAME);
    await world.round(wanting());
    assert.deepEqual((await world.round(wanting(9000))).outcomes, ['done']);
    assert.match((await world.value()) ?? '', /9000/);
  });

  it('replaces what is no network', async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    await world.store.put('config', '{"Network":');
    assert.deepEqual((await world.round(wanting(9000))).outcomes, ['done']);
  });

  it('does not replace what has changed since it was planned', async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    const noted = await world.files.read(RECORD);
    const theirs = OTHER.replace('9000', '9001');
    world.store.beforeWrite = () => world.store.put('config', theirs);
    assert.deepEqual((await world.round(wanting(7000))).outcomes, ['failed LostRaceError']);
    assert.equal(await world.value(), theirs);
    assert.deepEqual(await world.files.read(RECORD), noted, 'and remembers nothing of it');
  });

  it('does not replace what changed between planning and doing, though it was read meanwhile', async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    const { actions } = world.reconciler.diff(
      wanting(7000),
      await world.reconciler.observe(wanting(7000), NEVER),
    );
    await world.store.put('config', OTHER);
    await world.access.refresh(NEVER);
    assert.deepEqual(await outcomes(world.reconciler, actions), ['failed LostRaceError']);
    assert.equal(await world.value(), OTHER);
  });

  it('replaces nothing that is gone meanwhile, and writes it in the next round', async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    const { actions } = world.reconciler.diff(
      wanting(7000),
      await world.reconciler.observe(wanting(7000), NEVER),
    );
    world.store.beforeWrite = () => world.store.delete('config');
    assert.deepEqual(await outcomes(world.reconciler, actions), ['failed LostRaceError']);
    assert.deepEqual((await oneRound(world.reconciler, wanting(7000))).plan, [
      'create network-config:config: not published yet',
    ]);
  });

  it('remembers what it wrote where a reboot does not take it', async () => {
    const world = new PublishWorld('always');
    await world.round(wanting());
    assert.equal((await world.files.read(RECORD))?.content, `${await world.value()}\n`);
  });

  it('fails when it cannot remember', async () => {
    const world = new PublishWorld('always');
    world.files.failure = { writes: new SystemError('Cannot write: read-only', 'EROFS') };
    assert.deepEqual((await world.round(wanting())).outcomes, ['failed EROFS']);
  });
});

describe('network-config reconciler, taking back what an apply has published that failed', () => {
  const TAKE_BACK = (state: NetworkConfigState | undefined): Action<NetworkConfigState> => ({
    ...{ verb: 'delete', key: 'network-config:config', reason: 'put back', requires: [], interrupts: false },
    ...(state && { before: state }),
  });

  for (const { what, meanwhile, isGone } of [
    { what: 'deletes it', meanwhile: async () => {}, isGone: true },
    {
      what: 'leaves it once another host has joined',
      meanwhile: (world: PublishWorld) => world.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53"}'),
      isGone: false,
    },
    {
      what: 'leaves what somebody has written instead',
      meanwhile: (world: PublishWorld) => world.store.put('config', OTHER),
      isGone: false,
    },
  ]) {
    it(what, async () => {
      const world = new PublishWorld();
      await world.round(wanting());
      await meanwhile(world);
      await world.access.refresh(NEVER);
      const [result] = await world.reconciler.apply([TAKE_BACK(wanting()[0]?.state)], NEVER);
      assert.equal(result?.outcome, isGone ? 'done' : 'failed');
      assert.equal((await world.value()) === undefined, isGone);
    });
  }
});
