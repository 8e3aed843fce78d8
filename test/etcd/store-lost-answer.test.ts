/** A write whose answer is lost on the way may have been done: no lease may stay behind that nobody wants. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Store, StoreUnavailableError } from '../../src/ports.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { type EtcdServer, withEtcd } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';
import { TcpProxy } from '../lab/tcp-proxy.js';

const TTL_SECONDS = 60;
const GRANTED_MS = 10_000;
const NEVER = new AbortController().signal;

test('a lease whose grant was not answered is given back before the next one is taken', async () => {
  await withProxied(async ({ store, proxy, etcd }) => {
    proxy.keepAnswers();
    const refused = assert.rejects(store.grantLease(TTL_SECONDS, NEVER), StoreUnavailableError);
    await eventually('etcd grants a lease', GRANTED_MS, async () => {
      assert.match(await metrics(etcd), /^etcd_debugging_lease_granted_total 1$/m);
    });
    proxy.cut();
    await refused;
    await assertOnlyLease(etcd, await store.grantLease(TTL_SECONDS, NEVER));
  });
});

test('a lease that could not be given back is given back before the next one is taken', async () => {
  await withProxied(async ({ store, proxy, etcd }) => {
    const lease = await store.grantLease(TTL_SECONDS, NEVER);
    await proxy.close();
    await assert.rejects(store.revokeLease(lease, NEVER), StoreUnavailableError);
    await proxy.open();
    await assertOnlyLease(etcd, await store.grantLease(TTL_SECONDS, NEVER));
  });
});

async function withProxied(
  body: (parts: { store: Store; proxy: TcpProxy; etcd: EtcdServer }) => Promise<void>,
): Promise<void> {
  await withEtcd(async (etcd) => {
    const proxy = await TcpProxy.start(etcd.port);
    const section = { endpoints: [proxy.endpoint], prefix: '/lost', leaseTtlSeconds: TTL_SECONDS };
    const store = createEtcdStore({ type: 'etcd', ...section });
    try {
      await store.snapshot(NEVER);
      await body({ store, proxy, etcd });
    } finally {
      store.close();
      await proxy.close();
    }
  });
}

/** etcdctl prints in hexadecimal what etcd's interface has in decimal. */
async function assertOnlyLease(etcd: EtcdServer, lease: string): Promise<void> {
  const hexadecimal = BigInt(lease).toString(16).padStart(16, '0');
  assert.equal((await etcd.ctl('lease', 'list')).trim(), `found 1 leases\n${hexadecimal}`);
}

async function metrics({ endpoint }: EtcdServer): Promise<string> {
  return (await fetch(`${endpoint}/metrics`)).text();
}
