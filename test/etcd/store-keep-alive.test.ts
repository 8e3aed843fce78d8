import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { withEtcd } from '../lab/etcd.js';

const NEVER = new AbortController().signal;
// The connection's own keepalive pings after 5 s: a connection that is on its way out is noticed then.
const PAST_A_PING_MS = 6_000;

test('refreshing a lease leaves the watch on the same connection alone', async () => {
  await withEtcd(async ({ endpoint }) => {
    const section = { type: 'etcd', endpoints: [endpoint], prefix: '/network', leaseTtlSeconds: 60 } as const;
    const store = createEtcdStore(section);
    try {
      const { revision } = await store.snapshot(NEVER);
      const watch = store.watch(revision + 1n, () => {}, NEVER);
      const lease = await store.grantLease(60, NEVER);
      assert.equal(await store.keepAlive(lease, NEVER), 60);
      const first = await Promise.race([watch, sleep(PAST_A_PING_MS, 'still watching', { ref: false })]);
      assert.equal(first, 'still watching');
    } finally {
      store.close();
    }
  });
});
