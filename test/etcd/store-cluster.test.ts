import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { type EtcdServer, withEtcdCluster } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';

const never = () => new AbortController().signal;
const PUT = { key: 'subnets/10.5.1.0-24', value: '{}', expected: 0n, lease: '0' };

function storeAt(members: readonly EtcdServer[]) {
  const endpoints = members.map(({ endpoint }) => endpoint);
  const section = {
    type: 'etcd',
    endpoints,
    prefix: '/coreos.com/network',
    leaseTtlSeconds: 86_400,
  } as const;
  // Chance 0: the first member is asked first.
  return createEtcdStore(section, { random: () => 0 });
}

test('a member that lost its quorum ends the watch instead of keeping it open and silent', async (context) => {
  await withEtcdCluster(3, async (members) => {
    const [kept, ...others] = members;
    assert.ok(kept);
    const store = storeAt([kept]);
    let isFollowing = false;
    const ended = store.watch(1n, () => (isFollowing = true), never());
    await store.compareAndPut(PUT, never());
    await eventually('the watch follows', 5_000, () => assert.ok(isFollowing));
    const startedAt = performance.now();
    await Promise.all(others.map((member) => member.kill()));
    const end = await ended;
    assert.ok(end.why === 'failed' && /no leader/.test(end.error.message), JSON.stringify(end));
    const noticedMs = Math.round(performance.now() - startedAt);
    context.diagnostic(`noticed after ${noticedMs} ms`);
    assert.ok(noticedMs < 8_000, `noticed after ${noticedMs} ms`);
    // Without a quorum a read cannot be confirmed: no answer is better than an old one.
    await assert.rejects(store.snapshot(never()), { name: 'StoreUnavailableError' });
    store.close();
  });
});

test('when the member in use dies the next one is used within three seconds', async () => {
  await withEtcdCluster(3, async (members) => {
    const store = storeAt(members);
    assert.equal(await store.compareAndPut(PUT, never()), true);
    const { revision } = await store.snapshot(never());
    const ended = store.watch(revision + 1n, () => {}, never());
    await members[0]?.kill();
    assert.equal((await ended).why, 'failed');
    await eventually('the next member answers', 3_000, async () => {
      assert.equal((await store.snapshot(never())).entries.length, 1);
    });
    await eventually('and takes writes', 3_000, () => store.grantLease(60, never()));
    store.close();
  });
});
