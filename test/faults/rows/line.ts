/** A bad line to etcd: slow, lossy, or one that repeats and reorders; and a clock that jumps. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log, Store, StoreEvent } from '../../../src/ports.js';
import { StoreMirror } from '../../../src/runtime/store/store-mirror.js';
import { systemClock, systemRandom } from '../../../src/sys/clock.js';
import { createEtcdStore } from '../../../src/sys/etcd-store.js';
import { seededRandom } from '../../fakes/seeded-random.js';
import { withEtcd } from '../../lab/etcd.js';
import { eventually } from '../../lab/eventually.js';
import { leasesOf, storeOf } from '../../lab/store-content.js';
import { onLeaseLine } from '../lease-line.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { HEALED_MS, type Station } from '../station.js';

const SLOW_MS = { test: 4_000, standard: 60_000, full: 600_000 } as const;
/** A refused try is followed by another within a second. */
const CUT_OFF = {
  test: { ttlSeconds: 6, share: 0.6 },
  standard: { ttlSeconds: 60, share: 0.9 },
  full: { ttlSeconds: 60, share: 0.9 },
} as const;
const CHANGES = { test: 100, standard: 2_000, full: 20_000 } as const;
const DAY_MS = 86_400_000;

export const LINE_ROWS: readonly Row[] = [
  {
    id: 'E5',
    fault: 'etcd takes two seconds for everything, and breaks off every fifth time',
    expected: 'The lease is refreshed in time all the same: it is tried again ever sooner.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 1 },
    remark: 'a lease of twenty seconds, so that it has to be refreshed again and again.',
    inject: slow,
  },
  {
    id: 'E15',
    fault: 'watch events come twice, late, out of order, or again',
    expected: 'What is older than what is known is no news: in the end exactly what is in etcd is known.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 1 },
    inject: disordered,
  },
  {
    id: 'L6',
    fault: 'the wall clock jumps a day ahead, and back',
    expected: 'Nothing happens: what must not be late is timed by a clock that does not jump.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 3, full: 10 },
    remark: 'a daemon that was suspended is row P7.',
    inject: clockJumps,
  },
  {
    id: 'L7',
    fault: 'the lease cannot be refreshed for nine tenths of its time',
    expected:
      'It is tried ever sooner, `LeaseAtRisk` is told from half of the time on, and the first try that comes through keeps the lease.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 3 },
    remark: 'a lease of a minute stands for one of a day.',
    inject: cutOffForLong,
  },
];

const SLOW_TTL_SECONDS = 20;

async function slow(_: Scene, size: Size) {
  const random = seededRandom(5);
  return onLeaseLine(SLOW_TTL_SECONDS, async ({ proxy, secondsLeft }) => {
    proxy.delay(1_000);
    const end = performance.now() + SLOW_MS[size];
    let asked = 0;
    for (; performance.now() < end; asked++) {
      await sleep(500);
      // A call takes two seconds: one of five meets a cut of all connections.
      if (random.next() < 0.05) proxy.cut();
      assert.ok((await secondsLeft()) > 0, 'the lease is lost');
    }
    return { times: asked };
  });
}

async function cutOffForLong(_: Scene, size: Size) {
  const { ttlSeconds, share } = CUT_OFF[size];
  return onLeaseLine(ttlSeconds, async ({ proxy, keeper, secondsLeft }) => {
    await proxy.close();
    const isAtRisk = () => {
      const { leftMs, ttlMs } = keeper.timeLeft() ?? { leftMs: 0, ttlMs: 1 };
      return leftMs < ttlMs / 2;
    };
    while ((await secondsLeft()) > ttlSeconds * (1 - share)) await sleep(50);
    assert.ok(isAtRisk(), 'nobody is told');
    await proxy.open();
    await eventually('the lease has all its time again', HEALED_MS, async () => {
      const left = await secondsLeft();
      assert.ok(left > 0, 'the lease is lost');
      assert.ok(left >= ttlSeconds - 2 && !isAtRisk(), `${left} s`);
    });
    return {};
  });
}

const SILENCE: Log = { debug() {}, info() {}, warn() {}, error() {} };

async function disordered(_: Scene, size: Size) {
  const random = seededRandom(15);
  await withEtcd(async (etcd) => {
    const section = {
      type: 'etcd',
      prefix: '/line',
      endpoints: [etcd.endpoint],
      leaseTtlSeconds: 60,
    } as const;
    const [writer, reader] = [createEtcdStore(section), createEtcdStore(section)];
    const store = disorderly(reader, () => random.next());
    const mirror = new StoreMirror({ store, clock: systemClock, random: systemRandom, log: SILENCE });
    const stop = new AbortController();
    const running = mirror.run(stop.signal);
    try {
      await eventually('the mirror is live', HEALED_MS, () => assert.equal(mirror.state.status, 'live'));
      const known = new Map<string, bigint>();
      for (let change = 0; change < CHANGES[size]; change++) {
        const key = `subnets/10.5.${1 + Math.floor(random.next() * 50)}.0-24`;
        const revision = known.get(key) ?? 0n;
        if (revision > 0n && random.next() < 0.4) await writer.compareAndDelete(key, revision, stop.signal);
        else {
          const value = `{"PublicIP":"192.0.2.${Math.floor(random.next() * 250)}"}`;
          await writer.compareAndPut({ key, value, expected: revision, lease: '0' }, stop.signal);
        }
        const { entries } = await writer.snapshot(stop.signal);
        known.set(key, entries.find((entry) => entry.key === key)?.modRevision ?? 0n);
      }
      const { entries } = await writer.snapshot(stop.signal);
      await eventually('the mirror has what etcd has', HEALED_MS, () =>
        assert.deepEqual(byKey(mirror.state.entries.list), byKey(entries)),
      );
    } finally {
      stop.abort();
      await running;
      for (const opened of [writer, reader]) opened.close();
    }
  });
  return { times: CHANGES[size] };
}

/** What a watch tells comes twice, a little late, in another order, and now and then once more. */
function disorderly(store: Store, chance: () => number): Store {
  const past: StoreEvent[] = [];
  const watch: Store['watch'] = (from, onEvents, signal) =>
    store.watch(
      from,
      (events) => {
        past.push(...events);
        const late = events.filter(() => chance() < 0.3);
        onEvents(events.filter((event) => !late.includes(event)));
        const again = past[Math.floor(chance() * past.length)];
        onEvents([...(again ? [again] : []), ...late.reverse(), ...events]);
      },
      signal,
    );
  return new Proxy(store, {
    get(target, name) {
      if (name === 'watch') return watch;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function byKey(entries: readonly { readonly key: string }[]): readonly { readonly key: string }[] {
  return entries.toSorted((left, right) => (left.key < right.key ? -1 : 1));
}

/** On the third host: its containers have no part in the probe. */
async function clockJumps({ third, cluster }: Scene) {
  const [lease] = await leasesOf(cluster, third.member.address);
  third.daemon.signal('SIGTERM');
  await third.daemon.exited;
  await third.restart({
    environment: {
      NODE_OPTIONS: `--import=${new URL('../../lab/clock-jump-on-signal.js', import.meta.url).href}`,
      JUMP_MS: String(DAY_MS),
    },
  });
  const { revision } = await storeOf(cluster);
  for (const jumpedMs of [DAY_MS, 0]) {
    third.daemon.signal('SIGUSR2');
    assert.ok(
      Math.abs((await clockOf(third)) - Date.now() - jumpedMs) < DAY_MS / 2,
      'the clock has not jumped',
    );
    await third.settle();
    const { ready, store, conditions } = await third.status();
    assert.deepEqual([ready, store.status, conditions], [true, 'live', []]);
  }
  assert.equal((await storeOf(cluster)).revision, revision);
  assert.deepEqual(await leasesOf(cluster, third.member.address), [lease]);
  third.daemon.signal('SIGTERM');
  await third.daemon.exited;
  await third.restart();
  return { times: 2 };
}

/** As its log has it, milliseconds since the epoch. */
async function clockOf({ daemon, shell }: Station): Promise<number> {
  const { length } = daemon.lines;
  await shell.run('rm /run/flannel/docker');
  const line = await daemon.waitForLine(/"msg":"changed"/, HEALED_MS, length);
  return Date.parse((JSON.parse(line) as { time: string }).time);
}
