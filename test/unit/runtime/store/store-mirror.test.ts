import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Log, StoreUnavailableError } from '../../../../src/ports.js';
import { StoreMirror } from '../../../../src/runtime/store/store-mirror.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeStore } from '../../../fakes/fake-store.js';

const NETWORK = '{"Network":"10.5.0.0/16"}';
const lease = (publicIp: string) => `{"PublicIP":"${publicIp}","PublicIPv6":null}`;

/** A mirror that runs for the length of `body`. */
async function mirroring(
  body: (world: {
    readonly store: FakeStore;
    readonly clock: FakeClock;
    readonly mirror: StoreMirror;
    readonly said: readonly string[];
    readonly wakes: () => number;
    readonly subnets: () => readonly (string | undefined)[] | undefined;
  }) => Promise<void>,
  prepare: (store: FakeStore) => Promise<void> | void = () => {},
): Promise<void> {
  const store = new FakeStore();
  await store.put('config', NETWORK);
  await store.put('subnets/10.5.1.0-24', lease('192.0.2.1'));
  await prepare(store);
  const clock = new FakeClock();
  const said: string[] = [];
  const say = (_: object, message: string) => void said.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const mirror = new StoreMirror({ store, clock, random: { next: () => 0.5 }, log });
  let wakes = 0;
  mirror.subscribe(() => wakes++);
  const stop = new AbortController();
  const running = mirror.run(stop.signal);
  await settle();
  try {
    await body({
      store,
      clock,
      mirror,
      said,
      wakes: () => wakes,
      subnets: () => mirror.view()?.leases.map(({ subnets }) => subnets.ipv4),
    });
  } finally {
    stop.abort();
    await running;
    assert.equal(clock.sleeping, 0);
  }
}

test('nothing is known until the store was read', async () => {
  await mirroring(
    async ({ store, clock, mirror, subnets, wakes }) => {
      assert.equal(mirror.state.status, 'connecting');
      assert.equal(wakes(), 1, 'the first failure is told');
      assert.match(mirror.state.error?.message ?? '', /connection refused/);
      assert.equal(mirror.view(), undefined);
      store.comeBack();
      await clock.advance(2_000);
      assert.equal(mirror.state.status, 'live');
      assert.equal(mirror.state.error, undefined);
      assert.deepEqual(subnets(), ['10.5.1.0/24']);
    },
    (store) => store.goDown(),
  );
});

test('an empty store is known to be empty', async () => {
  await mirroring(
    async ({ mirror }) => assert.deepEqual(mirror.view()?.leases, []),
    (store) => store.wipe(),
  );
});

test('an event changes the view and wakes the subscribers at once', async () => {
  await mirroring(async ({ store, subnets, wakes, mirror }) => {
    const before = wakes();
    const view = mirror.view();
    assert.equal(mirror.view(), view);
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await settle();
    assert.equal(wakes(), before + 1);
    assert.deepEqual(subnets(), ['10.5.1.0/24', '10.5.2.0/24']);
    // What did not change was not read again.
    assert.equal(mirror.view()?.leases[0], view?.leases[0]);
    await store.delete('subnets/10.5.1.0-24');
    await settle();
    assert.deepEqual(subnets(), ['10.5.2.0/24']);
    assert.equal(store.asked.snapshot, 1);
  });
});

test('while the store is away the last known state stays, and says since when', async () => {
  await mirroring(async ({ store, clock, mirror, subnets, wakes }) => {
    await clock.advance(60_000);
    const before = wakes();
    store.goDown('no route');
    await settle();
    assert.equal(mirror.state.status, 'stale');
    assert.equal(mirror.state.since, clock.now());
    assert.match(mirror.state.error?.message ?? '', /no route/);
    assert.ok(wakes() > before);
    const since = mirror.state.since;
    await clock.advance(3_600_000);
    assert.deepEqual(subnets(), ['10.5.1.0/24']);
    assert.deepEqual([mirror.state.status, mirror.state.since], ['stale', since]);
  });
});

test('it tries again ever less often, at most once a second, and is back within two', async () => {
  await mirroring(async ({ store, clock, mirror }) => {
    store.goDown();
    await clock.advance(10_000);
    const before = store.asked.snapshot;
    await clock.advance(60_000);
    const tries = store.asked.snapshot - before;
    assert.ok(tries >= 30 && tries <= 60, `${tries} tries in a minute`);
    store.comeBack();
    await clock.advance(2_000);
    assert.equal(mirror.state.status, 'live');
  });
});

test('an hour of trouble is a few lines in the log', async () => {
  await mirroring(async ({ store, clock, said }) => {
    store.goDown();
    await clock.advance(3_600_000);
    assert.ok(said.length <= 20, `${said.length} lines`);
  });
});

test('a store that answers reads but drops every watch is neither hammered nor a log storm', async () => {
  await mirroring(async ({ store, clock, said, mirror }) => {
    store.watch = async () => ({ why: 'no answer' });
    store.cutWatches();
    await clock.advance(600_000);
    assert.ok(store.asked.snapshot <= 600, `${store.asked.snapshot} lists in ten minutes`);
    assert.ok(said.length <= 40, `${said.length} lines`);
    assert.match(mirror.state.error?.message ?? 'live', /no answer|live/);
  });
});

test('what happened while the watch was broken is seen by the next list: new, gone and changed', async () => {
  await mirroring(async ({ store, clock, mirror, subnets }) => {
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await settle();
    store.goDown();
    await settle();
    await store.delete('subnets/10.5.1.0-24');
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.22'));
    await store.put('subnets/10.5.3.0-24', lease('192.0.2.3'));
    store.compact();
    store.comeBack();
    await clock.advance(2_000);
    assert.deepEqual(subnets(), ['10.5.2.0/24', '10.5.3.0/24']);
    assert.equal(mirror.view()?.leases[0]?.attributes.publicIps.ipv4, '192.0.2.22');
  });
});

test('a compaction under the watch costs one list', async () => {
  await mirroring(async ({ store, clock, mirror, subnets }) => {
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    store.compact();
    store.cutWatches({ why: 'compacted', revision: 4n });
    await settle();
    assert.match(mirror.state.error?.message ?? '', /compacted at revision 4/);
    await clock.advance(1_000);
    assert.equal(store.asked.snapshot, 2);
    assert.equal(mirror.state.status, 'live');
    assert.equal(subnets()?.length, 2);
  });
});

test('events that were lost on the way are found by the list that comes now and then', async () => {
  await mirroring(async ({ store, clock, subnets, wakes }) => {
    store.onTheWay = () => [];
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await settle();
    assert.deepEqual(subnets(), ['10.5.1.0/24']);
    const before = wakes();
    await clock.advance(310_000);
    assert.deepEqual(subnets(), ['10.5.1.0/24', '10.5.2.0/24']);
    assert.equal(wakes(), before + 1);
    await clock.advance(3_100_000);
    // In a steady state the lists wake nobody.
    assert.equal(wakes(), before + 1);
    assert.equal(store.asked.watch, 1);
  });
});

test('events repeated and out of order change nothing', async () => {
  await mirroring(async ({ store, subnets }) => {
    store.onTheWay = (events) => [...events, ...events].reverse();
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.22'));
    await store.delete('subnets/10.5.2.0-24');
    await settle();
    assert.deepEqual(subnets(), ['10.5.1.0/24']);
  });
});

test('a wiped store is taken as it is, and watched from its own revision', async () => {
  await mirroring(async ({ store, clock, subnets }) => {
    for (let third = 2; third < 20; third++)
      await store.put(`subnets/10.5.${third}.0-24`, lease(`192.0.2.${third}`));
    await clock.advance(100);
    assert.equal(subnets()?.length, 19);
    store.wipe();
    await store.put('subnets/10.5.7.0-24', lease('192.0.2.7'));
    await clock.advance(2_000);
    assert.deepEqual(subnets(), ['10.5.7.0/24']);
    await store.put('subnets/10.5.8.0-24', lease('192.0.2.8'));
    await settle();
    assert.deepEqual(subnets(), ['10.5.7.0/24', '10.5.8.0/24']);
  });
});

test('another cluster behind the same address is noticed by any list, and watched anew', async () => {
  await mirroring(async ({ store, clock, mirror, subnets, said }) => {
    const snapshot = store.snapshot.bind(store);
    store.snapshot = async (signal) => ({ ...(await snapshot(signal)), clusterId: 'other' });
    await mirror.refresh(new AbortController().signal);
    await clock.advance(2_000);
    assert.ok(said.includes('store replaced'));
    assert.equal(store.asked.watch, 2);
    assert.deepEqual(subnets(), ['10.5.1.0/24']);
    assert.equal(mirror.state.status, 'live');
  });
});

test('refresh resolves with what was written before it, even when no event comes', async () => {
  await mirroring(async ({ store, mirror, subnets }) => {
    store.onTheWay = () => [];
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await mirror.refresh(new AbortController().signal);
    assert.deepEqual(subnets(), ['10.5.1.0/24', '10.5.2.0/24']);
  });
});

test('an answer that was overtaken by an event takes nothing back', async () => {
  await mirroring(async ({ store, mirror, subnets }) => {
    let answer = () => {};
    store.beforeAnswer = () => new Promise((resolve) => (answer = resolve));
    const refreshed = mirror.refresh(new AbortController().signal);
    await settle();
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await store.delete('subnets/10.5.1.0-24');
    await settle();
    answer();
    await refreshed;
    assert.deepEqual(subnets(), ['10.5.2.0/24']);
  });
});

test('refresh rejects while the store is away, and keeps what was known', async () => {
  await mirroring(async ({ store, mirror, subnets }) => {
    store.goDown();
    await assert.rejects(mirror.refresh(new AbortController().signal), { name: 'StoreUnavailableError' });
    assert.deepEqual(subnets(), ['10.5.1.0/24']);
  });
});

test('refresh works without run', async () => {
  const store = new FakeStore();
  await store.put('config', NETWORK);
  const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
  const mirror = new StoreMirror({ store, clock: new FakeClock(), random: { next: () => 0 }, log });
  await mirror.refresh(new AbortController().signal);
  assert.equal(mirror.state.status, 'live');
  assert.ok(mirror.view()?.network);
});

test('a subscriber that has left is not woken', async () => {
  await mirroring(async ({ store, mirror }) => {
    let woken = 0;
    const leave = mirror.subscribe(() => woken++);
    leave();
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await settle();
    assert.equal(woken, 0);
  });
});

const heldOf = (mirror: StoreMirror) => mirror.view()?.held?.map(({ subnets }) => subnets.ipv4);

/** Three leases where one is usual. */
async function threeLeases(store: FakeStore): Promise<void> {
  for (const host of [2, 3]) await store.put(`subnets/10.5.${host}.0-24`, lease(`192.0.2.${host}`));
}

test('leases that are all deleted at once are held until a list after the grace confirms it', async () => {
  await mirroring(async ({ store, clock, mirror, subnets }) => {
    await clock.advance(60_000);
    const before = store.asked.snapshot;
    for (const host of [1, 2, 3]) await store.delete(`subnets/10.5.${host}.0-24`);
    await settle();
    assert.deepEqual([subnets(), heldOf(mirror)?.length], [[], 3]);
    assert.ok(store.asked.snapshot > before, 'it is asked again at once');
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await settle();
    assert.deepEqual([subnets(), heldOf(mirror)], [['10.5.2.0/24'], ['10.5.1.0/24', '10.5.3.0/24']]);
    await clock.advance(9_000);
    assert.equal(heldOf(mirror)?.length, 2);
    await clock.advance(1_500);
    assert.equal(heldOf(mirror), undefined);
  }, threeLeases);
});

test('while nobody confirms it, they are held', async () => {
  await mirroring(async ({ store, clock, mirror }) => {
    for (const host of [1, 2, 3]) await store.delete(`subnets/10.5.${host}.0-24`);
    await settle();
    store.goDown();
    await clock.advance(60_000);
    assert.equal(heldOf(mirror)?.length, 3);
    store.comeBack();
    await clock.advance(3_000);
    assert.equal(heldOf(mirror), undefined);
  }, threeLeases);
});

test('what a wiped store lacks is held, whatever its cluster calls itself', async () => {
  for (const clusterId of ['1', 'another']) {
    await mirroring(async ({ store, clock, mirror, subnets }) => {
      store.wipe(clusterId);
      await clock.advance(1_500);
      assert.deepEqual([subnets(), heldOf(mirror)?.length], [[], 3]);
      await clock.advance(12_000);
      assert.equal(heldOf(mirror), undefined);
    }, threeLeases);
  }
});

test('one host that leaves is believed at once', async () => {
  await mirroring(async ({ store, mirror, subnets }) => {
    await store.delete('subnets/10.5.2.0-24');
    await settle();
    assert.deepEqual([subnets(), heldOf(mirror)], [['10.5.1.0/24', '10.5.3.0/24'], undefined]);
  }, threeLeases);
});

test('of a key that changes ten times a second two changes a second come through, and the last one', async () => {
  await mirroring(async ({ store, clock, wakes, mirror }) => {
    const before = wakes();
    for (let tenth = 0; tenth < 50; tenth++) {
      await store.put('subnets/10.5.1.0-24', lease(`192.0.2.${100 + tenth}`));
      await settle();
      await clock.advance(100);
    }
    assert.ok(wakes() - before <= 4 + 2 * 5, `woken ${wakes() - before} times`);
    await clock.advance(500);
    assert.equal(mirror.view()?.leases[0]?.attributes.publicIps.ipv4, '192.0.2.149');
  });
});

test('a password that is refused ends the watch that was opened before it was changed', async () => {
  await mirroring(async ({ store, clock, mirror }) => {
    const refused = new StoreUnavailableError('Cannot read: the password is wrong', 'auth');
    store.beforeAnswer = () => Promise.reject(refused);
    await assert.rejects(mirror.refresh(new AbortController().signal), refused);
    await settle();
    assert.deepEqual([mirror.state.status, mirror.state.error], ['stale', refused]);
    store.beforeAnswer = async () => {};
    await clock.advance(2_000);
    assert.equal(mirror.state.status, 'live');
  });
});

test('a store that is to be asked over a new connection is not lost', async () => {
  await mirroring(async ({ store, clock, mirror, said }) => {
    const told = said.length;
    store.renew();
    await settle();
    await store.put('subnets/10.5.2.0-24', lease('192.0.2.2'));
    await clock.advance(100);
    assert.equal(mirror.view()?.leases.length, 2);
    assert.equal(mirror.state.status, 'live');
    assert.deepEqual(
      said.slice(told).filter((line) => line.includes('lost')),
      [],
    );
  });
});
