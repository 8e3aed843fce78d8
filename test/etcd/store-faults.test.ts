import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreEvent } from '../../src/ports.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { freePort, withEtcd } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';
import { outputOf } from '../lab/process.js';
import { TcpProxy } from '../lab/tcp-proxy.js';

const PREFIX = '/coreos.com/network';
const NEVER = new AbortController().signal;
/** Seconds. etcd's own limit is 9,000,000,000. */
const LONGER_THAN_ETCD_ALLOWS = 10_000_000_000;

function storeAt(...endpoints: string[]) {
  // Chance 0: the first endpoint is asked first.
  const section = { type: 'etcd', endpoints, prefix: PREFIX, leaseTtlSeconds: 86_400 } as const;
  return createEtcdStore(section, { random: () => 0 });
}

/** How long `body` took, in milliseconds, and what came of it. */
async function timed<T>(
  body: () => Promise<T>,
): Promise<{ readonly ms: number; readonly result: T | Error }> {
  const startedAt = performance.now();
  const result = await body().catch((error: Error) => error);
  return { ms: performance.now() - startedAt, result };
}

function revisionOf(event: StoreEvent): bigint {
  return event.type === 'put' ? event.entry.modRevision : event.modRevision;
}

test('an etcd that is down is told at once, every time, with endpoint and cause', async () => {
  const endpoint = `http://127.0.0.1:${await freePort('127.0.0.1')}`;
  const store = storeAt(endpoint);
  try {
    const calls = [
      () => store.snapshot(NEVER),
      () => store.grantLease(60, NEVER),
      () => store.keepAlive('7', NEVER),
      () => store.compareAndPut({ key: 'config', value: '{}', expected: 0n, lease: '0' }, NEVER),
      () => store.snapshot(NEVER),
    ];
    for (const call of calls) {
      const { ms, result } = await timed<unknown>(call);
      assert.ok(result instanceof Error);
      assert.equal(result.name, 'StoreUnavailableError');
      assert.match(result.message, /^Cannot [a-z ]+/);
      assert.ok(result.message.endsWith(`(etcd ${endpoint}): connection refused`), result.message);
      assert.ok(ms < 1_500, `told after ${ms} ms`);
    }
    const watch = await store.watch(1n, () => {}, NEVER);
    assert.ok(watch.why === 'failed' && watch.error.message.endsWith('connection refused'), watch.why);
  } finally {
    store.close();
  }
});

test('a host name that does not resolve is told as such', async () => {
  const store = storeAt('http://etcd.invalid:2379');
  await assert.rejects(store.snapshot(NEVER), /the host name does not resolve|no answer in time/);
  store.close();
});

test('an etcd that is stopped fails every call in time, and works the moment it goes on', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    await store.snapshot(NEVER);
    etcd.pause();
    const [read, write, alive, watch] = await Promise.all([
      timed<unknown>(() => store.snapshot(NEVER)),
      timed<unknown>(() =>
        store.compareAndPut({ key: 'config', value: '{}', expected: 0n, lease: '0' }, NEVER),
      ),
      timed<unknown>(() => store.keepAlive('7', NEVER)),
      timed(() => store.watch(1n, () => {}, NEVER)),
    ]);
    for (const [call, bound] of [
      [read, 5_500],
      [write, 5_500],
      [alive, 5_500],
    ] as const) {
      assert.ok(
        call.result instanceof Error &&
          /(no answer in time|the connection was lost)$/.test(call.result.message),
        String(call.result),
      );
      assert.ok(call.ms < bound, `${call.result.message} after ${call.ms} ms`);
    }
    assert.deepEqual(watch.result, { why: 'no answer' });
    assert.ok(watch.ms < 6_500, `${watch.ms} ms`);
    etcd.resume();
    await eventually('reads work again', 2_000, () => store.snapshot(NEVER));
    store.close();
  });
});

test('an open watch notices within eight seconds that etcd fell silent', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    const ended = timed(() => store.watch(1n, () => {}, NEVER));
    await store.compareAndPut({ key: 'config', value: '{}', expected: 0n, lease: '0' }, NEVER);
    etcd.pause();
    const { ms, result } = await ended;
    assert.equal((result as { why: string }).why, 'failed');
    assert.ok(ms < 8_500, `noticed after ${ms} ms`);
    etcd.resume();
    store.close();
  });
});

test('a killed etcd ends the watch at once, and the first call after its return works', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    const { revision } = await store.snapshot(NEVER);
    let isFollowing = false;
    const ended = store.watch(revision + 1n, () => (isFollowing = true), NEVER);
    await etcd.ctl('put', `${PREFIX}/config`, '{}');
    await eventually('the watch follows', 5_000, () => assert.ok(isFollowing));
    const { ms } = await timed(async () => {
      await etcd.kill();
      return ended;
    });
    assert.ok(ms < 1_000, `noticed after ${ms} ms`);
    await assert.rejects(store.snapshot(NEVER), /connection refused/);
    await etcd.start();
    assert.equal((await store.snapshot(NEVER)).entries.length, 1);
    store.close();
  });
});

test('a watch from before a compaction says so', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    for (const value of ['1', '2', '3']) await etcd.ctl('put', `${PREFIX}/config`, value);
    const { revision } = await store.snapshot(NEVER);
    await etcd.ctl('compact', String(revision));
    assert.deepEqual(await store.watch(2n, () => {}, NEVER), { why: 'compacted', revision });
    store.close();
  });
});

test('a watch that is cut during a replay of 3,000 events loses and repeats none', async () => {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    const direct = storeAt(etcd.endpoint);
    const { revision } = await direct.snapshot(NEVER);
    for (let at = 0; at < 3_000; at += 100) {
      const puts = Array.from({ length: 100 }, (_, index) => {
        const key = `subnets/10.${at}.${index}.0-24`;
        return direct.compareAndPut(
          { key, value: 'x'.repeat(500), expected: 0n, lease: '0' },
          new AbortController().signal,
        );
      });
      await Promise.all(puts);
    }
    const store = storeAt(proxy.endpoint);
    const seen: bigint[] = [];
    let cuts = 0;
    while (seen.length < 3_000) {
      const stop = new AbortController();
      if (cuts < 3) proxy.cutAfter(300_000);
      const end = await store.watch(
        (seen.at(-1) ?? revision) + 1n,
        (events) => {
          seen.push(...events.map(revisionOf));
          if (seen.length >= 3_000) stop.abort();
        },
        stop.signal,
      );
      if (end.why === 'failed') cuts++;
      assert.ok(cuts < 10, `${seen.length} seen, ${JSON.stringify(end)}`);
    }
    assert.ok(cuts >= 3, `cut ${cuts} times`);
    assert.deepEqual(
      seen,
      Array.from({ length: 3_000 }, (_, index) => revision + 1n + BigInt(index)),
    );
    store.close();
    direct.close();
    await proxy.close();
  });
});

test('neighbours of the keys are not seen, by neither list nor watch', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    const seen: StoreEvent[] = [];
    const stop = new AbortController();
    const ended = store.watch(1n, (events) => seen.push(...events), stop.signal);
    const neighbours = [
      '/subnetsX/10.5.1.0-24',
      '/subnets',
      '/subnets-old/a',
      '/configX',
      '2/config',
      '/other',
    ];
    for (const key of neighbours) await etcd.ctl('put', PREFIX + key, '{}');
    await etcd.ctl('put', `${PREFIX}/subnets/10.5.2.0-24`, '{}');
    await eventually('the lease is told', 5_000, () => assert.equal(seen.length, 1));
    const { entries } = await store.snapshot(NEVER);
    assert.deepEqual(
      entries.map(({ key }) => key),
      ['subnets/10.5.2.0-24'],
    );
    stop.abort();
    await ended;
    store.close();
  });
});

test('with one of two members refusing no read fails', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(`http://127.0.0.1:${await freePort('127.0.0.1')}`, etcd.endpoint);
    for (let turn = 0; turn < 60; turn++) await store.snapshot(NEVER);
    store.close();
  });
});

test('with one of two members in a black hole the other is found, and kept', async () => {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    const store = storeAt(proxy.endpoint, etcd.endpoint);
    await store.snapshot(NEVER);
    proxy.pause();
    const first = await timed(() => store.snapshot(NEVER));
    assert.ok(!(first.result instanceof Error) && first.ms < 6_000, `${first.result} after ${first.ms} ms`);
    const second = await timed(() => store.grantLease(60, NEVER));
    assert.ok(!(second.result instanceof Error) && second.ms < 500, `${second.result} after ${second.ms} ms`);
    store.close();
    await proxy.close();
  });
});

test('a write whose answer was lost is not repeated', async () => {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    const store = storeAt(proxy.endpoint, etcd.endpoint);
    await store.snapshot(NEVER);
    proxy.pause();
    await assert.rejects(store.grantLease(60, NEVER), /no answer in time/);
    proxy.resume();
    // At most the one that was under way: none came from a retry at the other endpoint.
    await eventually('etcd got what was on the line', 3_000, async () => {
      const leases = (await etcd.ctl('lease', 'list'))
        .split('\n')
        .filter((line) => /^[0-9a-f]{10,}$/.test(line));
      assert.ok(leases.length <= 1, `${leases.length} leases`);
    });
    store.close();
    await proxy.close();
  });
});

test('a call that fails leaves an open watch alone', async () => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    const { revision } = await store.snapshot(NEVER);
    const seen: StoreEvent[] = [];
    let end: unknown = 'open';
    store.watch(revision + 1n, (events) => seen.push(...events), NEVER).then((reason) => (end = reason));
    await etcd.ctl('put', `${PREFIX}/config`, '{}');
    await eventually('the watch follows', 5_000, () => assert.equal(seen.length, 1));
    // The client of the calls is thrown away, and etcd3 ends all of a client's streams with it.
    await assert.rejects(store.grantLease(LONGER_THAN_ETCD_ALLOWS, NEVER), /too large lease TTL/);
    // A connection that is on its way out breaks at its next ping, 5 s later.
    const startedAt = performance.now();
    await eventually('a ping is past', 7_000, () => assert.ok(performance.now() - startedAt > 6_000));
    assert.equal(end, 'open');
    await etcd.ctl('put', `${PREFIX}/config`, '{ }');
    await eventually('the watch still follows', 2_000, () => assert.equal(seen.length, 2));
    store.close();
  });
});

test('a slow etcd is waited for', async () => {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    proxy.delay(400);
    const store = storeAt(proxy.endpoint);
    const { ms, result } = await timed(() => store.snapshot(NEVER));
    assert.ok(!(result instanceof Error), String(result));
    assert.ok(ms >= 400, `${ms} ms`);
    store.close();
    await proxy.close();
  });
});

test('a process with an open watch ends as soon as the store is closed', async () => {
  await withEtcd(async (etcd) => {
    const script = `
      import { createEtcdStore } from ${JSON.stringify(new URL('../../src/sys/etcd-store.js', import.meta.url))};
      const store = createEtcdStore(${JSON.stringify({ type: 'etcd', endpoints: [etcd.endpoint], prefix: PREFIX })});
      const never = new AbortController().signal;
      const { revision } = await store.snapshot(never);
      const ended = store.watch(revision + 1n, () => {}, never);
      await store.keepAlive(await store.grantLease(60, never), never);
      const closedAt = performance.now();
      process.on('exit', () => console.log(Math.round(performance.now() - closedAt)));
      store.close();
      if ((await ended).why !== 'ended') throw new Error('still watching');`;
    const output = await outputOf([process.execPath, '--input-type=module', '-e', script]);
    assert.ok(Number(output) < 200, `ended ${output.trim()} ms after close`);
  });
});
