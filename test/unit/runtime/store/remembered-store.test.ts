/** What the store said last, taken up by the next process when the store does not answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EtcdStoreSection } from '../../../../src/model/config.js';
import type { Log } from '../../../../src/ports.js';
import { isConfirmed, KEPT_MS } from '../../../../src/runtime/forwarding/confirmation.js';
import { RememberedStore } from '../../../../src/runtime/store/remembered-store.js';
import { StoreMirror } from '../../../../src/runtime/store/store-mirror.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeFiles } from '../../../fakes/fake-files.js';
import { FakeStore } from '../../../fakes/fake-store.js';

const PATH = '/var/lib/flannelette/flannel0/store.json';
const CONFIRMATION = '/run/flannelette/flannel0.confirmed';
const SECTION: EtcdStoreSection = {
  type: 'etcd',
  endpoints: ['http://10.8.64.10:2379'],
  prefix: '/coreos.com/network',
  leaseTtlSeconds: 86_400,
};
const HERE = { bootId: 'first', networkNamespace: '4:1' };
const lease = (host: number) => `{"PublicIP":"192.0.2.${host}","PublicIPv6":null}`;

/** A host on which processes come and go, and its store. */
class World {
  readonly clock = new FakeClock();
  readonly files = new FakeFiles();
  readonly said: string[] = [];
  store = new FakeStore();

  /** A process that lives for the length of `body`. */
  async process(
    body: (mirror: StoreMirror) => Promise<void>,
    { origin = HERE, section = SECTION } = {},
  ): Promise<void> {
    const { clock, files, store } = this;
    const say = (fields: object, message: string) =>
      void this.said.push(`${message} ${JSON.stringify(fields)}`);
    const log: Log = { debug: say, info: say, warn: say, error: say };
    const mirror = new StoreMirror({ store, clock, random: { next: () => 0.5 }, log });
    const memory = new RememberedStore({
      path: PATH,
      confirmationPath: CONFIRMATION,
      files,
      clock,
      log,
      origin,
      section,
      mirror,
    });
    const stop = new AbortController();
    const running = memory
      .begin(stop.signal)
      .then(() => Promise.all([mirror.run(stop.signal), memory.run(stop.signal)]));
    await clock.advance(1_000);
    try {
      await body(mirror);
    } finally {
      stop.abort();
      await running;
    }
  }

  /** One that has read two leases, and is gone; so is the store. */
  async last(): Promise<void> {
    for (const host of [1, 2]) await this.store.put(`subnets/10.5.${host}.0-24`, lease(host));
    await this.process(async () => {});
    this.store.goDown();
  }
}

const subnetsOf = (mirror: StoreMirror) => mirror.view()?.leases.map(({ subnets }) => subnets.ipv4);
const BOTH = ['10.5.1.0/24', '10.5.2.0/24'];

describe('a store that is remembered', () => {
  it('is what the next process goes on with, marked stale since it was confirmed', async () => {
    const world = new World();
    await world.last();
    const confirmedAt = world.clock.now() - 1_000;
    await world.clock.advance(3_600_000);
    await world.process(async (mirror) => {
      assert.deepEqual(subnetsOf(mirror), BOTH);
      const { status, since, error } = mirror.state;
      assert.equal(status, 'stale');
      assert.ok(since >= confirmedAt && since <= confirmedAt + 1_000, `since ${since}`);
      assert.match(error?.message ?? '', /connection refused/);
      world.store.comeBack();
      await world.store.put('subnets/10.5.3.0-24', lease(3));
      await world.clock.advance(2_000);
      assert.equal(mirror.state.status, 'live');
      assert.deepEqual(subnetsOf(mirror), [...BOTH, '10.5.3.0/24']);
    });
  });

  it('is not asked where the store itself answers', async () => {
    const world = new World();
    await world.last();
    world.store.comeBack();
    await world.store.delete('subnets/10.5.1.0-24');
    await world.process(async (mirror) => assert.deepEqual(subnetsOf(mirror), ['10.5.2.0/24']));
    assert.ok(!world.said.some((line) => line.startsWith('store recalled')));
  });

  it('is taken up as well when the store is merely silent', async () => {
    const world = new World();
    await world.last();
    world.store.comeBack();
    world.store.beforeAnswer = () => new Promise(() => {});
    const mirrored: unknown[] = [];
    const { store } = world;
    const ask = store.snapshot.bind(store);
    store.snapshot = (signal) =>
      Promise.race([
        ask(signal),
        new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ]);
    await world.process(async (mirror) => void mirrored.push(subnetsOf(mirror)));
    assert.deepEqual(mirrored, [BOTH]);
  });

  for (const [what, change, reason] of [
    ['more than a day old', { laterMs: KEPT_MS + 2_000 }, /confirmed it 1440 min ago/],
    [
      'of another network namespace',
      { origin: { ...HERE, networkNamespace: '4:2' } },
      /another network namespace/,
    ],
    ['of another store', { section: { ...SECTION, prefix: '/other' } }, /another store/],
    [
      'from the future of a clock that was set back',
      { origin: { ...HERE, bootId: 'second' }, wallMs: -120_000 },
      /-\d+ min ago/,
    ],
  ] as const) {
    it(`is not taken up when it is ${what}`, async () => {
      const world = new World();
      await world.last();
      const { laterMs = 0, wallMs = 0, ...options } = { laterMs: 0, wallMs: 0, ...change };
      await world.clock.advance(laterMs);
      world.clock.jumpWall(wallMs);
      await world.process(async (mirror) => assert.equal(mirror.view(), undefined), options);
      assert.match(world.said.join(), reason);
    });
  }

  it('outlives a boot, in which namespaces have other numbers', async () => {
    const world = new World();
    await world.last();
    const origin = { bootId: 'second', networkNamespace: '4:2' };
    await world.process(async (mirror) => assert.deepEqual(subnetsOf(mirror), BOTH), { origin });
  });

  it('comes first after a boot, and is corrected when the store answers', async () => {
    const world = new World();
    await world.last();
    world.store.comeBack();
    await world.store.delete('subnets/10.5.1.0-24');
    const origin = { bootId: 'second', networkNamespace: '4:2' };
    await world.process(async (mirror) => assert.deepEqual(subnetsOf(mirror), ['10.5.2.0/24']), { origin });
    assert.match(world.said.join(), /store recalled/);
  });

  it('counts its age on a clock that nobody sets, within one boot', async () => {
    const world = new World();
    await world.last();
    world.clock.jumpWall(10 * KEPT_MS);
    await world.process(async (mirror) => assert.deepEqual(subnetsOf(mirror), BOTH));
  });

  for (const content of ['', '{"format":1', '[]', '{"format":1,"store":{}}']) {
    it(`is done without when what is on disk is ${JSON.stringify(content)}`, async () => {
      const world = new World();
      world.store.goDown();
      world.files.edit(PATH, content);
      await world.process(async (mirror) => assert.equal(mirror.view(), undefined));
      assert.match(world.said.join(), /store not recalled/);
    });
  }

  it('is written when something changed, seldom while everything changes, hourly while nothing does', async () => {
    const world = new World();
    await world.process(async () => {
      assert.equal(world.files.writes, 2);
      for (let change = 0; change < 600; change++) {
        await world.store.put('subnets/10.5.1.0-24', lease(change % 2));
        await world.clock.advance(100);
      }
      assert.ok(world.files.writes <= 8, `${world.files.writes} writes in a minute of changes`);
      await world.clock.advance(60_000);
      const { writes } = world.files;
      await world.clock.advance(86_400_000);
      const daily = (world.files.writes - writes) / 2;
      assert.ok(daily >= 23 && daily <= 25, `${daily} writes in a quiet day`);
    });
  });

  it('says until when it was confirmed once the store is lost', async () => {
    const world = new World();
    await world.process(async () => {
      await world.clock.advance(1_800_000);
      const { writes } = world.files;
      world.store.goDown();
      await world.clock.advance(60_000);
      assert.equal(world.files.writes, writes + 2);
      await world.clock.advance(7_200_000);
      assert.equal(world.files.writes, writes + 2);
    });
    const { confirmedMs } = JSON.parse((await world.files.read(PATH))?.content ?? '');
    assert.ok(confirmedMs >= 1_800_000 && confirmedMs < 1_900_000, `${confirmedMs}`);
  });

  it('is worth nothing more than a line in the log when it cannot be written', async () => {
    const world = new World();
    world.files.failure = { writes: new Error('no space left') };
    await world.process(async (mirror) => {
      await settle();
      assert.equal(mirror.state.status, 'live');
    });
    assert.match(world.said.join(), /store not remembered .*no space left/);
  });

  it('says for a day that the packet loop may be taken up', async () => {
    const world = new World();
    const isYoung = () => isConfirmed(CONFIRMATION, world.files, world.clock);
    assert.equal(await isYoung(), true, 'nobody said that it must not');
    await world.last();
    await world.clock.advance(KEPT_MS - 1_000);
    assert.equal(await isYoung(), true);
    await world.clock.advance(2_000);
    assert.equal(await isYoung(), false);
    world.files.edit(CONFIRMATION, 'no number');
    assert.equal(await isYoung(), false);
  });
});
