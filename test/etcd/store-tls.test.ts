import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EtcdStoreSection } from '../../src/model/config.js';
import type { StoreUnavailableError } from '../../src/ports.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { CertificateAuthority } from '../lab/certificates.js';
import { type EtcdOptions, type EtcdServer, withEtcd } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';

const NEVER = new AbortController().signal;
const PUT = { key: 'subnets/10.5.1.0-24', value: '{}', expected: 0n, lease: '0' };

async function withTls(
  options: (authority: CertificateAuthority) => Promise<NonNullable<EtcdOptions['tls']>>,
  body: (etcd: EtcdServer, authority: CertificateAuthority) => Promise<void>,
): Promise<void> {
  const authority = await CertificateAuthority.create();
  try {
    await withEtcd((etcd) => body(etcd, authority), { tls: await options(authority) });
  } finally {
    await authority.destroy();
  }
}

function storeAt(etcd: EtcdServer, tls?: NonNullable<EtcdStoreSection['tls']>) {
  return createEtcdStore({
    type: 'etcd',
    endpoints: [etcd.endpoint],
    prefix: '/coreos.com/network',
    leaseTtlSeconds: 86_400,
    ...(tls && { tls }),
  });
}

test('an authority alone is enough to read, write and watch over TLS', async () => {
  await withTls(
    (authority) => authority.sign('etcd', 'IP:127.0.0.1'),
    async (etcd, { caFile }) => {
      const store = storeAt(etcd, { caFile });
      assert.equal(await store.compareAndPut(PUT, NEVER), true);
      assert.equal((await store.snapshot(NEVER)).entries.length, 1);
      const stop = new AbortController();
      let events = 0;
      const ended = store.watch(1n, (batch) => (events += batch.length), stop.signal);
      await eventually('the lease is told', 5_000, () => assert.equal(events, 1));
      stop.abort();
      assert.deepEqual(await ended, { why: 'aborted' });
      store.close();
    },
  );
});

test('a server that an unknown authority vouches for is refused, with the reason', async () => {
  await withTls(
    (authority) => authority.sign('etcd', 'IP:127.0.0.1'),
    async (etcd) => {
      const other = await CertificateAuthority.create();
      try {
        for (const tls of [undefined, { caFile: other.caFile }]) {
          const store = storeAt(etcd, tls);
          await assert.rejects(store.snapshot(NEVER), /TLS: .*certificate/);
          store.close();
        }
      } finally {
        await other.destroy();
      }
    },
  );
});

test('a certificate for another name is refused, with both names', async () => {
  await withTls(
    (authority) => authority.sign('etcd', 'IP:192.0.2.7'),
    async (etcd, { caFile }) => {
      const store = storeAt(etcd, { caFile });
      await assert.rejects(
        store.snapshot(NEVER),
        /TLS: .*IP: 127\.0\.0\.1 is not in the cert's list: 192\.0\.2\.7; the server shows a certificate of "etcd" for IP Address:192\.0\.2\.7, signed by "lab authority", valid from 20\S+Z to 20\S+Z$/,
      );
      store.close();
    },
  );
});

test('an expired certificate is refused as such', async () => {
  await withTls(
    (authority) => authority.sign('etcd', 'IP:127.0.0.1', -1),
    async (etcd, { caFile }) => {
      const store = storeAt(etcd, { caFile });
      await assert.rejects(store.snapshot(NEVER), (error: StoreUnavailableError) => {
        assert.match(error.message, /TLS: certificate has expired; .* of "etcd" .* to 20\S+Z$/);
        return error.trouble === 'tls';
      });
      store.close();
    },
  );
});

test('a server that wants a client certificate gets it, and refuses who has none', async () => {
  await withTls(
    async (authority) => ({
      ...(await authority.sign('etcd', 'IP:127.0.0.1')),
      clientCaFile: authority.caFile,
    }),
    async (etcd, authority) => {
      const { caFile } = authority;
      const nobody = storeAt(etcd, { caFile });
      await assert.rejects(nobody.snapshot(NEVER), { name: 'StoreUnavailableError' });
      nobody.close();
      const store = storeAt(etcd, { caFile, ...(await authority.sign('host', 'IP:127.0.0.1')) });
      assert.equal(await store.compareAndPut(PUT, NEVER), true);
      store.close();
    },
  );
});

test('a file that is missing or no certificate is named', async () => {
  await withTls(
    (authority) => authority.sign('etcd', 'IP:127.0.0.1'),
    async (etcd, { caFile }) => {
      const missing = storeAt(etcd, { caFile: '/nowhere/ca.pem' });
      await assert.rejects(missing.snapshot(NEVER), /store\.tls\.caFile.*ENOENT.*\/nowhere\/ca\.pem/);
      missing.close();
      const noKey = join(caFile, '..', 'garbage.pem');
      await writeFile(noKey, 'no key');
      const garbage = storeAt(etcd, { caFile, certFile: noKey, keyFile: noKey });
      await assert.rejects(garbage.snapshot(NEVER), /store\.tls/);
      garbage.close();
    },
  );
});

test('files that were replaced are used without a restart', async () => {
  await withTls(
    (authority) => authority.sign('etcd', 'IP:127.0.0.1'),
    async (etcd, { caFile }) => {
      const other = await CertificateAuthority.create();
      const inUse = join(other.caFile, '..', 'in-use.pem');
      await copyFile(other.caFile, inUse);
      const store = storeAt(etcd, { caFile: inUse });
      await assert.rejects(store.snapshot(NEVER), /TLS/);
      await copyFile(caFile, inUse);
      await eventually('the new authority is used', 5_000, () => store.snapshot(NEVER));
      store.close();
      await other.destroy();
    },
  );
});
