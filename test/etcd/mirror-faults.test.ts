import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../../src/ports.js';
import { StoreMirror } from '../../src/runtime/store/store-mirror.js';
import { systemClock, systemRandom } from '../../src/sys/clock.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { EtcdServer, withEtcd } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';
import { TcpProxy } from '../lab/tcp-proxy.js';

const PREFIX = '/coreos.com/network';
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
/** One for each call: Node warns of many listeners on one signal. */
const never = () => new AbortController().signal;
const lease = (host: number) => `{"PublicIP":"192.0.2.${host}","PublicIPv6":null}`;

function storeAt(endpoint: string) {
  return createEtcdStore({ type: 'etcd', endpoints: [endpoint], prefix: PREFIX, leaseTtlSeconds: 86_400 });
}

/** A mirror of what is at `endpoint`, running for the length of `body`. */
async function mirroring(endpoint: string, body: (mirror: StoreMirror) => Promise<void>): Promise<void> {
  const store = storeAt(endpoint);
  const mirror = new StoreMirror({ store, clock: systemClock, random: systemRandom, log: SILENT });
  const stop = new AbortController();
  const running = mirror.run(stop.signal);
  try {
    await body(mirror);
  } finally {
    stop.abort();
    store.close();
    await running;
  }
}

const isLive = (mirror: StoreMirror) => () =>
  assert.equal(mirror.state.status, 'live', mirror.state.error?.message);
const subnetsOf = (mirror: StoreMirror) => mirror.view()?.leases.map(({ subnets }) => subnets.ipv4);

test('a mirror that began without etcd has everything two seconds after it is there', async () => {
  const etcd = await EtcdServer.create();
  try {
    await mirroring(etcd.endpoint, async (mirror) => {
      await eventually('the trouble is told', 10_000, () => assert.match(`${mirror.state.error}`, /refused/));
      assert.equal(mirror.view(), undefined);
      await etcd.start();
      await eventually('the mirror is live', 2_000, isLive(mirror));
      assert.deepEqual(mirror.view()?.leases, []);
    });
  } finally {
    await etcd.destroy();
  }
});

test('an event wakes the subscribers within milliseconds', async (context) => {
  await withEtcd((etcd) =>
    mirroring(etcd.endpoint, async (mirror) => {
      await eventually('the mirror is live', 5_000, isLive(mirror));
      const writer = storeAt(etcd.endpoint);
      const tookMs: number[] = [];
      for (let host = 1; host <= 30; host++) {
        const key = `subnets/10.5.${host}.0-24`;
        await new Promise<void>((resolve, reject) => {
          const leave = mirror.subscribe(() => {
            if (mirror.state.entries.get(key) === undefined) return;
            tookMs.push(performance.now() - startedAt);
            leave();
            resolve();
          });
          const startedAt = performance.now();
          writer.compareAndPut({ key, value: lease(host), expected: 0n, lease: '0' }, never()).catch(reject);
        });
      }
      writer.close();
      const [best = Infinity, ...others] = tookMs.sort((left, right) => left - right);
      context.diagnostic(
        `best ${best.toFixed(1)} ms, median ${others[14]?.toFixed(1)} ms from write to wake`,
      );
      // The machine may be busy with other tests: the best of thirty tells what the mirror itself takes.
      assert.ok(best < 50, `from write to wake: ${tookMs.map((ms) => ms.toFixed(1)).join(' ')} ms`);
    }),
  );
});

test('killed and restarted etcd: nothing is forgotten, and what changed is seen within two seconds', async () => {
  await withEtcd(async (etcd) => {
    await etcd.ctl('put', `${PREFIX}/subnets/10.5.1.0-24`, lease(1));
    await mirroring(etcd.endpoint, async (mirror) => {
      await eventually('the mirror is live', 5_000, isLive(mirror));
      await etcd.kill();
      await eventually('the mirror is stale', 1_000, () => assert.equal(mirror.state.status, 'stale'));
      assert.deepEqual(subnetsOf(mirror), ['10.5.1.0/24']);
      await etcd.start();
      await etcd.ctl('put', `${PREFIX}/subnets/10.5.2.0-24`, lease(2));
      await eventually('the change is seen', 2_000, () => {
        assert.deepEqual(subnetsOf(mirror), ['10.5.1.0/24', '10.5.2.0/24']);
        isLive(mirror)();
      });
    });
  });
});

test('stopped etcd: known to be stale within nine seconds, nothing removed, live again when it goes on', async () => {
  await withEtcd(async (etcd) => {
    await etcd.ctl('put', `${PREFIX}/subnets/10.5.1.0-24`, lease(1));
    await mirroring(etcd.endpoint, async (mirror) => {
      await eventually('the mirror is live', 5_000, isLive(mirror));
      etcd.pause();
      await eventually('the mirror is stale', 9_000, () => assert.equal(mirror.state.status, 'stale'));
      assert.deepEqual(subnetsOf(mirror), ['10.5.1.0/24']);
      etcd.resume();
      await eventually('the mirror is live', 3_000, isLive(mirror));
    });
  });
});

test('cut off during changes and a compaction: all of it is seen two seconds after the return', async () => {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    for (const host of [1, 2]) await etcd.ctl('put', `${PREFIX}/subnets/10.5.${host}.0-24`, lease(host));
    await mirroring(proxy.endpoint, async (mirror) => {
      await eventually('the mirror is live', 5_000, isLive(mirror));
      await proxy.close();
      await eventually('the mirror is stale', 1_000, () => assert.equal(mirror.state.status, 'stale'));
      await etcd.ctl('del', `${PREFIX}/subnets/10.5.1.0-24`);
      await etcd.ctl('put', `${PREFIX}/subnets/10.5.2.0-24`, lease(22));
      await etcd.ctl('put', `${PREFIX}/subnets/10.5.3.0-24`, lease(3));
      await etcd.ctl('compact', '5');
      assert.deepEqual(subnetsOf(mirror), ['10.5.1.0/24', '10.5.2.0/24']);
      await proxy.open();
      await eventually('all of it is seen', 2_000, () => {
        const leases = mirror.view()?.leases ?? [];
        assert.deepEqual(
          leases.map(({ subnets, attributes }) => [subnets.ipv4, attributes.publicIps.ipv4]),
          [
            ['10.5.2.0/24', '192.0.2.22'],
            ['10.5.3.0/24', '192.0.2.3'],
          ],
        );
      });
    });
    await proxy.close();
  });
});

test('a line that breaks again and again under 3,000 writes: in the end nothing is missing', async () => {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    const writer = storeAt(etcd.endpoint);
    await mirroring(proxy.endpoint, async (mirror) => {
      await eventually('the mirror is live', 5_000, isLive(mirror));
      for (let batch = 0; batch < 30; batch++) {
        const { entries } = await writer.snapshot(never());
        const revisions = new Map(entries.map(({ key, modRevision }) => [key, modRevision]));
        if (batch % 3 === 0) proxy.cutAfter(5_000);
        const writes = Array.from({ length: 100 }, (_, index) => {
          const key = `subnets/10.5.${(batch * 37 + index) % 250}.0-24`;
          const expected = revisions.get(key) ?? 0n;
          if (index % 4 === 0 && expected > 0n) return writer.compareAndDelete(key, expected, never());
          return writer.compareAndPut(
            { key, value: lease((batch + index) % 250), expected, lease: '0' },
            never(),
          );
        });
        await Promise.all(writes);
      }
      const truth = await writer.snapshot(never());
      await eventually('the mirror is as the store', 5_000, () => {
        const { entries } = mirror.state;
        assert.equal(entries.list.length, truth.entries.length);
        for (const entry of truth.entries) assert.deepEqual(entries.get(entry.key), entry);
      });
    });
    writer.close();
    await proxy.close();
  });
});

test('a wiped etcd is believed, and followed from its own beginning', async () => {
  await withEtcd(async (etcd) => {
    for (const host of [1, 2, 3, 4, 5])
      await etcd.ctl('put', `${PREFIX}/subnets/10.5.${host}.0-24`, lease(host));
    await mirroring(etcd.endpoint, async (mirror) => {
      await eventually('the mirror is live', 5_000, isLive(mirror));
      const before = mirror.state.revision;
      await etcd.kill();
      await etcd.wipe();
      await etcd.start();
      await eventually('the emptiness is seen', 2_000, () => assert.deepEqual(subnetsOf(mirror), []));
      assert.equal(mirror.view()?.held?.length, 5);
      assert.ok(mirror.state.revision < before);
      await etcd.ctl('put', `${PREFIX}/subnets/10.5.9.0-24`, lease(9));
      await eventually('the new lease is seen', 2_000, () =>
        assert.deepEqual(subnetsOf(mirror), ['10.5.9.0/24']),
      );
      await eventually('the others are let go of', 15_000, () =>
        assert.equal(mirror.view()?.held, undefined),
      );
    });
  });
});
