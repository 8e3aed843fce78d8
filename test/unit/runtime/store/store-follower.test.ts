import assert from 'node:assert/strict';
import test from 'node:test';
import { readConfig } from '../../../../src/config/read-config.js';
import type { Config } from '../../../../src/model/config.js';
import type { Log } from '../../../../src/ports.js';
import { StoreFollower } from '../../../../src/runtime/store/store-follower.js';
import { StoreMirror } from '../../../../src/runtime/store/store-mirror.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeStore } from '../../../fakes/fake-store.js';

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

function section(endpoint: string): Config['store'] {
  const text = `network: { cidr: 4.0.0.0/16 }\nstore: { etcd: { endpoints: ["${endpoint}"] } }\n`;
  const reading = readConfig(text, 'flannelette.yaml');
  assert.ok('config' in reading);
  return reading.config.store;
}

const [FIRST, SECOND] = [section('http://10.8.64.10:2379'), section('http://10.8.64.20:2379')];

class FollowerWorld {
  readonly clock = new FakeClock();
  /** By the section that named them. */
  readonly stores = new Map([
    [FIRST, new FakeStore()],
    [SECOND, new FakeStore()],
  ]);
  changes = 0;
  readonly follower = new StoreFollower({
    section: FIRST,
    openMirror: (named) => {
      const store = this.stores.get(named);
      assert.ok(store);
      return new StoreMirror({ store, clock: this.clock, random: { next: () => 0.5 }, log: SILENT });
    },
    onChange: () => this.changes++,
    clock: this.clock,
  });

  get first(): FakeStore {
    return this.stores.get(FIRST) as FakeStore;
  }

  get second(): FakeStore {
    return this.stores.get(SECOND) as FakeStore;
  }

  subnets(): (string | undefined)[] | undefined {
    return this.follower.view()?.leases.map(({ subnets }) => subnets.ipv4);
  }
}

async function following(
  body: (world: FollowerWorld) => Promise<void>,
  prepare: (world: FollowerWorld) => void = () => {},
): Promise<void> {
  const world = new FollowerWorld();
  await world.first.put('subnets/4.0.1.0-24', '{"PublicIP":"192.0.2.1","PublicIPv6":null}');
  await world.second.put('subnets/4.0.2.0-24', '{"PublicIP":"192.0.2.2","PublicIPv6":null}');
  prepare(world);
  const stop = new AbortController();
  const running = world.follower.run(stop.signal);
  await settle();
  try {
    await body(world);
  } finally {
    stop.abort();
    await running;
    assert.equal(world.clock.sleeping, 0);
  }
}

test('the store of the file is mirrored', async () => {
  await following(async (world) => {
    assert.equal(world.follower.store, world.first);
    assert.equal(world.follower.state.status, 'live');
    assert.deepEqual(world.subnets(), ['4.0.1.0/24']);
    assert.equal(world.changes, 1);
    await world.first.delete('subnets/4.0.1.0-24');
    await settle();
    assert.deepEqual([world.subnets(), world.changes], [[], 2]);
  });
});

test('another store takes its place, and nothing is known until that one was read', async () => {
  await following(
    async (world) => {
      const { follower, clock } = world;
      const { changes } = world;
      follower.follow(SECOND);
      assert.equal(world.subnets(), undefined);
      assert.equal(follower.store, world.second);
      assert.equal(follower.state.status, 'connecting');
      assert.equal(world.changes, changes + 1);
      await clock.advance(5_000);
      assert.equal(world.subnets(), undefined);
      world.second.comeBack();
      await clock.advance(2_000);
      assert.deepEqual(world.subnets(), ['4.0.2.0/24']);
    },
    ({ second }) => second.goDown(),
  );
});

test('the store that was left is closed, and what happens there is not heard any more', async () => {
  await following(async (world) => {
    world.follower.follow(SECOND);
    await settle();
    const { changes } = world;
    await assert.rejects(world.first.snapshot(new AbortController().signal), /it was closed/);
    assert.deepEqual(world.subnets(), ['4.0.2.0/24']);
    await world.second.put('subnets/4.0.3.0-24', '{"PublicIP":"192.0.2.3","PublicIPv6":null}');
    await settle();
    assert.deepEqual([world.subnets(), world.changes], [['4.0.2.0/24', '4.0.3.0/24'], changes + 1]);
  });
});

test('a store that is named before it runs is the only one that is asked', async () => {
  const world = new FollowerWorld();
  world.follower.follow(SECOND);
  const stop = new AbortController();
  const running = world.follower.run(stop.signal);
  await settle();
  assert.deepEqual([world.first.asked.snapshot, world.second.asked.snapshot], [0, 1]);
  stop.abort();
  await running;
});

test('refreshing reads the store that is followed now', async () => {
  await following(async (world) => {
    world.follower.follow(SECOND);
    await settle();
    const { snapshot } = world.second.asked;
    await world.follower.refresh(new AbortController().signal);
    assert.equal(world.second.asked.snapshot, snapshot + 1);
  });
});

test('that a store is away is told once, not with each try, and so is its coming back', async () => {
  await following(async (world) => {
    const { changes } = world;
    world.first.goDown();
    await world.clock.advance(60_000);
    assert.ok(world.first.asked.snapshot > 30);
    assert.equal(world.changes, changes + 1);
    assert.deepEqual(world.subnets(), ['4.0.1.0/24'], 'what was known stays');
    world.first.comeBack();
    await world.clock.advance(2_000);
    assert.equal(world.changes, changes + 2);
  });
});

test('at the end the connection is closed', async () => {
  const world = new FollowerWorld();
  const stop = new AbortController();
  const running = world.follower.run(stop.signal);
  await settle();
  stop.abort();
  await running;
  await assert.rejects(world.first.snapshot(new AbortController().signal), /it was closed/);
});
