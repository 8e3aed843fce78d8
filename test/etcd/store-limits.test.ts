import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { withEtcd } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';

const NEVER = new AbortController().signal;

function storeAt(endpoint: string) {
  const section = {
    type: 'etcd',
    endpoints: [endpoint],
    prefix: '/coreos.com/network',
    leaseTtlSeconds: 86_400,
  } as const;
  return createEtcdStore(section);
}

test('ten thousand leases and values of a megabyte arrive in one read', async (context) => {
  await withEtcd(async (etcd) => {
    const store = storeAt(etcd.endpoint);
    const write = (key: string, value: string) =>
      store.compareAndPut({ key, value, expected: 0n, lease: '0' }, new AbortController().signal);
    for (let at = 0; at < 10_000; at += 250) {
      await Promise.all(
        Array.from({ length: 250 }, (_, index) =>
          write(`subnets/10.${(at + index) >> 8}.${(at + index) & 255}.0-24`, '{"PublicIP":"192.0.2.1"}'),
        ),
      );
    }
    for (let index = 0; index < 12; index++) await write(`subnets/11.0.${index}.0-24`, 'x'.repeat(2 ** 20));
    const startedAt = performance.now();
    const { entries } = await store.snapshot(NEVER);
    const ms = performance.now() - startedAt;
    context.diagnostic(`read in ${ms.toFixed(0)} ms`);
    assert.equal(entries.length, 10_012);
    assert.ok(ms < 3_000, `${ms} ms`);
    let events = 0;
    const stop = new AbortController();
    const ended = store.watch(2n, (batch) => (events += batch.length), stop.signal);
    await eventually('all of it is replayed', 10_000, () => assert.equal(events, 10_012));
    stop.abort();
    await ended;
    store.close();
  });
});

test('an etcd whose space is used up is told as such, and goes on being read', async () => {
  await withEtcd(
    async (etcd) => {
      const store = storeAt(etcd.endpoint);
      const fill = async () => {
        for (let index = 0; index < 64; index++) {
          const key = `subnets/10.5.${index}.0-24`;
          await store.compareAndPut({ key, value: 'x'.repeat(2 ** 20), expected: 0n, lease: '0' }, NEVER);
        }
      };
      await assert.rejects(fill(), /its quota is used up \(alarm NOSPACE\), it takes no writes$/);
      assert.ok((await store.snapshot(NEVER)).entries.length > 1);
      store.close();
    },
    { quotaBytes: 8 * 2 ** 20 },
  );
});
