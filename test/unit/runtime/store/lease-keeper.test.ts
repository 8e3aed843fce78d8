import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Lease } from '../../../../src/model/lease.js';
import type { Log } from '../../../../src/ports.js';
import { LeaseKeeper } from '../../../../src/runtime/store/lease-keeper.js';
import { snapshotAccess } from '../../../../src/runtime/store/snapshot-access.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeStore } from '../../../fakes/fake-store.js';

const NEVER = new AbortController().signal;
const HOUR_MS = 3_600_000;
const DAY_SECONDS = 86_400;
const VALUE = '{"PublicIP":"10.8.65.66","PublicIPv6":null}';

class KeeperWorld {
  readonly clock = new FakeClock();
  readonly store = new FakeStore();
  readonly access = snapshotAccess(this.store);
  readonly said: string[] = [];
  /** When each keep-alive was asked. */
  readonly askedAt: number[] = [];
  chance = 0.5;
  readonly keeper: LeaseKeeper;

  constructor() {
    const say = (_: object, message: string) => void this.said.push(message);
    const log: Log = { debug: say, info: say, warn: say, error: say };
    const keepAlive = this.store.keepAlive.bind(this.store);
    this.store.keepAlive = (lease, signal) => {
      this.askedAt.push(this.clock.boottimeMs());
      return keepAlive(lease, signal);
    };
    this.keeper = new LeaseKeeper({
      access: this.access,
      ownLease: (): Lease | undefined => this.access.view()?.leases[0],
      isLive: () => true,
      clock: this.clock,
      random: { next: () => this.chance },
      log,
    });
  }

  /** Somebody takes the lease, and the view knows. */
  async lease(ttlSeconds: number): Promise<string> {
    const lease = await this.store.grantLease(ttlSeconds, NEVER);
    await this.store.put('subnets/4.0.100.0-24', VALUE, lease);
    await this.access.refresh(NEVER);
    return lease;
  }
}

async function keeping(
  body: (world: KeeperWorld) => Promise<void>,
  prepare: (world: KeeperWorld) => unknown = () => {},
): Promise<void> {
  const world = new KeeperWorld();
  await prepare(world);
  const stop = new AbortController();
  const running = world.keeper.run(stop.signal);
  await settle();
  try {
    await body(world);
  } finally {
    stop.abort();
    await running;
    assert.equal(world.clock.sleeping, 0);
  }
}

const aDay = (world: KeeperWorld) => world.lease(DAY_SECONDS);

test('a lease that was there before us is refreshed at once: nobody knows how long it has left', async () => {
  await keeping(async ({ askedAt, keeper, clock }) => {
    assert.deepEqual(askedAt, [0]);
    assert.deepEqual(keeper.term(), { etcdLease: '1', expiresAt: clock.now() + 24 * HOUR_MS });
  }, aDay);
});

test('then at every third of its time', async () => {
  await keeping(async ({ clock, askedAt, keeper }) => {
    await clock.advance(24 * HOUR_MS);
    assert.deepEqual(
      askedAt.map((ms) => ms / HOUR_MS),
      [0, 8, 16, 24],
    );
    assert.equal(keeper.term()?.expiresAt, clock.now() + 24 * HOUR_MS);
  }, aDay);
});

test('without a lease nothing is asked, and a lease that comes is taken up when told', async () => {
  await keeping(async (world) => {
    await world.clock.advance(10 * HOUR_MS);
    assert.deepEqual(world.askedAt, []);
    assert.equal(world.keeper.term(), undefined);
    await aDay(world);
    world.keeper.wake();
    await settle();
    assert.deepEqual(world.askedAt, [10 * HOUR_MS]);
  });
});

test('a reservation is never refreshed', async () => {
  await keeping(
    async ({ clock, keeper, askedAt }) => {
      for (let hour = 0; hour < 30; hour++) {
        keeper.wake();
        await clock.advance(HOUR_MS);
      }
      assert.deepEqual(askedAt, []);
      assert.deepEqual(keeper.term(), { etcdLease: '0' });
    },
    async ({ store, access }) => {
      await store.put('subnets/4.0.100.0-24', VALUE);
      await access.refresh(NEVER);
    },
  );
});

test('being told of changes does not make it ask sooner', async () => {
  await keeping(async ({ clock, keeper, askedAt }) => {
    for (let minute = 0; minute < 60; minute++) {
      keeper.wake();
      await clock.advance(60_000);
    }
    assert.deepEqual(askedAt, [0]);
  }, aDay);
});

test('another lease in its place is refreshed at once', async () => {
  await keeping(async (world) => {
    await world.clock.advance(HOUR_MS);
    await world.store.expire('1');
    await world.lease(60);
    world.keeper.wake();
    await settle();
    assert.deepEqual(world.askedAt, [0, HOUR_MS]);
    assert.deepEqual(world.keeper.term(), { etcdLease: '2', expiresAt: world.clock.now() + 60_000 });
    await world.clock.advance(20_000);
    assert.deepEqual(world.askedAt, [0, HOUR_MS, HOUR_MS + 20_000]);
  }, aDay);
});

test('a failed refresh is tried again with a back-off, and the lease is still said to last as long', async () => {
  await keeping(async ({ clock, store, askedAt, said, keeper }) => {
    const expiresAt = clock.now() + 24 * HOUR_MS;
    store.goDown();
    await clock.advance(8 * HOUR_MS + 200_000);
    const since = askedAt.slice(1).map((ms) => (ms - 8 * HOUR_MS) / 1000);
    assert.deepEqual(since, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    assert.equal(said.filter((message) => message === 'lease not refreshed').length, 4);
    assert.equal(keeper.term()?.expiresAt, expiresAt);
  }, aDay);
});

test('being told of changes does not make a failed refresh be tried sooner', async () => {
  await keeping(async ({ clock, store, keeper, askedAt }) => {
    store.goDown();
    await clock.advance(8 * HOUR_MS);
    for (let ms = 0; ms < 900; ms += 100) {
      keeper.wake();
      await clock.advance(100);
    }
    assert.deepEqual(askedAt, [0, 8 * HOUR_MS]);
  }, aDay);
});

test('as the end comes near it is tried ever sooner, but at most once a second', async () => {
  await keeping(
    async ({ clock, store, askedAt }) => {
      store.goDown();
      // 90 s at first; 60 s are left when the first refresh fails.
      await clock.advance(90_000);
      const gaps = askedAt.slice(1).map((ms, index) => ms - (askedAt[index] ?? 0));
      assert.ok(Math.min(...gaps) >= 1_000, `${gaps}`);
      for (const [index, ms] of askedAt.entries()) {
        const gap = gaps[index];
        if (index === 0 || gap === undefined) continue;
        assert.ok(gap <= Math.max(1_001, (90_000 - ms) / 3 + 1), `waited ${gap} at ${ms}`);
      }
    },
    (world) => world.lease(90),
  );
});

test('never later than a third of what is left, whatever the time to live, the outage and the chance', async () => {
  const outage = fc.record({
    ttlSeconds: fc.integer({ min: 10, max: 3_600 }),
    chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  await fc.assert(
    fc.asyncProperty(outage, async ({ ttlSeconds, chance }) => {
      await keeping(
        async (world) => {
          world.chance = chance;
          world.store.goDown();
          const endMs = ttlSeconds * 1000;
          await world.clock.advance(endMs);
          const { askedAt } = world;
          for (const [index, ms] of askedAt.entries()) {
            const next = askedAt[index + 1] ?? endMs;
            const most = Math.max(1_000, (endMs - ms) / 3);
            assert.ok(next - ms <= most + 0.001, `asked at ${ms}, then at ${next}; the end is at ${endMs}`);
          }
        },
        (world) => world.lease(ttlSeconds),
      );
    }),
    { numRuns: 30 },
  );
});

test('after an outage it goes on at thirds', async () => {
  await keeping(async ({ clock, store, askedAt, keeper }) => {
    store.goDown();
    await clock.advance(8 * HOUR_MS + 2_000);
    store.comeBack();
    await clock.advance(8 * HOUR_MS);
    assert.deepEqual(
      askedAt.map((ms) => ms - 8 * HOUR_MS),
      [-8 * HOUR_MS, 0, 1_000, 3_000],
    );
    assert.equal(keeper.term()?.expiresAt, clock.now() + 16 * HOUR_MS + 1_000);
  }, aDay);
});

test('a lease that has expired is told of, and the store is read again, so that it is taken anew', async () => {
  await keeping(async ({ clock, store, access, askedAt, said, keeper }) => {
    await store.expire('1');
    assert.equal(access.view()?.leases.length, 1);
    await clock.advance(8 * HOUR_MS);
    assert.deepEqual(said, ['lease expired']);
    assert.equal(access.view()?.leases.length, 0);
    assert.equal(keeper.term(), undefined);
    await clock.advance(HOUR_MS);
    assert.equal(askedAt.length, 2);
  }, aDay);
});

test('if the store cannot be read then, that is tried again', async () => {
  await keeping(async ({ clock, store, access, said }) => {
    await store.expire('1');
    const { keepAlive } = store;
    store.keepAlive = async (lease, signal) => {
      const left = await keepAlive(lease, signal);
      store.goDown();
      return left;
    };
    await clock.advance(8 * HOUR_MS);
    assert.deepEqual(said, ['lease expired', 'lease not refreshed']);
    assert.equal(access.view()?.leases.length, 1);
    store.keepAlive = keepAlive;
    store.comeBack();
    await clock.advance(1_000);
    assert.equal(access.view()?.leases.length, 0);
  }, aDay);
});

test('after a suspend the lease is refreshed at once', async () => {
  await keeping(async ({ clock, askedAt }) => {
    await clock.advance(HOUR_MS);
    // The machine sleeps for ten hours: its timers end at once when it wakes.
    await clock.suspend(10 * HOUR_MS);
    assert.deepEqual(askedAt, [0, 11 * HOUR_MS]);
  }, aDay);
});

test('a wall clock that is set changes what is told and nothing else', async () => {
  await keeping(async ({ clock, askedAt, keeper }) => {
    clock.jumpWall(-5 * HOUR_MS);
    assert.equal(keeper.term()?.expiresAt, clock.now() + 24 * HOUR_MS);
    await clock.advance(8 * HOUR_MS);
    assert.deepEqual(askedAt, [0, 8 * HOUR_MS]);
  }, aDay);
});

test('the time counts from the question, so that it never ends later here than in the store', async () => {
  await keeping(
    async ({ clock, keeper }) => {
      await clock.advance(3_000);
      assert.equal(keeper.term()?.expiresAt, clock.now() - 3_000 + 24 * HOUR_MS);
    },
    async (world) => {
      await aDay(world);
      const { keepAlive } = world.store;
      world.store.keepAlive = async (lease, signal) => {
        const left = await keepAlive(lease, signal);
        await world.clock.sleep(3_000, signal);
        return left;
      };
    },
  );
});

test('it ends at once when told to, also while it asks, and does not complain', async () => {
  const world = new KeeperWorld();
  await aDay(world);
  world.store.keepAlive = (_, signal) => world.clock.sleep(HOUR_MS, signal).then(() => 1);
  const stop = new AbortController();
  const running = world.keeper.run(stop.signal);
  await settle();
  stop.abort();
  await running;
  assert.deepEqual(world.said, []);
});

test('the etcd lease of before is given up once there is another: it holds nothing, and would stay for a day', async () => {
  await keeping(async (world) => {
    const first = world.access.view()?.leases[0]?.etcdLease ?? '';
    const second = await world.lease(DAY_SECONDS);
    world.keeper.wake();
    await settle();
    assert.equal(await world.store.keepAlive(first, NEVER), 0);
    assert.equal(await world.store.keepAlive(second, NEVER), DAY_SECONDS);
  }, aDay);
});
