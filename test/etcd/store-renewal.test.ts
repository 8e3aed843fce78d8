/** Certificates and passwords that are exchanged on the disk while a store is followed. */
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { WatchEnd } from '../../src/ports.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { CertificateAuthority, type Signed } from '../lab/certificates.js';
import { withEtcd } from '../lab/etcd.js';

const NEVER = new AbortController().signal;
/** What the fault's row allows. */
const RENEWED_MS = 5_000;
const BAD_FOR_MS = 1_500;

async function copyOver(target: Signed, from: Signed): Promise<void> {
  await copyFile(from.certFile, target.certFile);
  await copyFile(from.keyFile, target.keyFile);
}

test('certificates that were exchanged are used from then on; what is none leaves those in use', async () => {
  const authority = await CertificateAuthority.create();
  try {
    const server = await authority.sign('etcd', 'IP:127.0.0.1');
    const mine = await authority.sign('host', 'IP:127.0.0.1');
    const next = await authority.sign('next', 'IP:127.0.0.1');
    const tls = { ...server, clientCaFile: authority.caFile };
    await withEtcd(
      async ({ endpoint }) => {
        const store = createEtcdStore({
          type: 'etcd',
          endpoints: [endpoint],
          prefix: '/coreos.com/network',
          leaseTtlSeconds: 86_400,
          tls: { caFile: authority.caFile, ...mine },
        });
        /** Resolves once the watch has told what is there, with its end to come. */
        const follow = (forMs: number) =>
          new Promise<{ readonly end: Promise<WatchEnd> }>((resolve) => {
            const end = store.watch(1n, () => resolve({ end }), AbortSignal.timeout(forMs));
          });
        try {
          await store.compareAndPut({ key: 'config', value: '{}', expected: 0n, lease: '0' }, NEVER);
          const renewed = await follow(RENEWED_MS);
          await copyOver(mine, next);
          assert.deepEqual(await renewed.end, { why: 'renewed' });
          await store.snapshot(NEVER);

          const kept = await follow(BAD_FOR_MS);
          await copyOver(mine, { certFile: '/etc/hostname', keyFile: '/etc/hostname' });
          assert.deepEqual(await kept.end, { why: 'aborted' });
          await store.snapshot(NEVER);
        } finally {
          store.close();
        }
      },
      { tls },
    );
  } finally {
    await authority.destroy();
  }
});
