import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StoreEvent, StoreUnavailableError } from '../../src/ports.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { CertificateAuthority } from '../lab/certificates.js';
import { type EtcdServer, withEtcd } from '../lab/etcd.js';
import { eventually } from '../lab/eventually.js';
import { outputOf } from '../lab/process.js';

const NEVER = new AbortController().signal;
const PREFIX = '/coreos.com/network';
const PUT = { key: 'subnets/10.5.1.0-24', value: '{}', expected: 0n, lease: '0' };

/** etcd with authentication on; `host` may do everything below the prefix and nothing else. Over TLS where an authority is given. */
async function withUsers(
  body: (world: {
    readonly etcd: EtcdServer;
    readonly passwordFile: string;
    asRoot(...args: readonly string[]): Promise<string>;
    storeAs(
      username: string | undefined,
      dependencies?: Parameters<typeof createEtcdStore>[1],
    ): ReturnType<typeof createEtcdStore>;
  }) => Promise<void>,
  authority?: CertificateAuthority,
): Promise<void> {
  const trust = authority === undefined ? [] : ['--cacert', authority.caFile];
  const tls = await authority?.sign('etcd', 'IP:127.0.0.1');
  await withEtcd(
    async (etcd) => {
      const ctl = (...args: readonly string[]) => etcd.ctl(...trust, ...args);
      await ctl('user', 'add', 'root:rootpw');
      await ctl('user', 'grant-role', 'root', 'root');
      await ctl('role', 'add', 'network');
      await ctl('role', 'grant-permission', 'network', '--prefix=true', 'readwrite', `${PREFIX}/`);
      await ctl('user', 'add', 'host:first');
      await ctl('user', 'grant-role', 'host', 'network');
      await ctl('auth', 'enable');
      const directory = await mkdtemp(join(tmpdir(), 'flannelette-login-'));
      const passwordFile = join(directory, 'password');
      await writeFile(passwordFile, 'first\n', { mode: 0o600 });
      try {
        await body({
          etcd,
          passwordFile,
          asRoot: (...args) => ctl('--user', 'root:rootpw', ...args),
          storeAs: (username, dependencies) =>
            createEtcdStore(
              {
                type: 'etcd',
                endpoints: [etcd.endpoint],
                prefix: PREFIX,
                leaseTtlSeconds: 86_400,
                ...(username !== undefined && { username, passwordFile }),
                ...(authority && { tls: { caFile: authority.caFile } }),
              },
              dependencies,
            ),
        });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    { ...(tls && { tls }) },
  );
}

test('reads, writes, watches and leases as the user in the file', async () => {
  await withUsers(async ({ storeAs, asRoot }) => {
    const store = storeAs('host');
    const lease = await store.grantLease(60, NEVER);
    assert.equal(await store.compareAndPut({ ...PUT, lease }, NEVER), true);
    assert.equal((await store.snapshot(NEVER)).entries.length, 1);
    assert.equal(await store.keepAlive(lease, NEVER), 60);
    const seen: StoreEvent[] = [];
    const stop = new AbortController();
    const ended = store.watch(1n, (events) => seen.push(...events), stop.signal);
    await asRoot('put', `${PREFIX}/config`, '{}');
    await eventually('both are told', 5_000, () => assert.equal(seen.length, 2));
    stop.abort();
    await ended;
    await store.revokeLease(lease, NEVER);
    store.close();
  });
});

test('a wrong or missing password is named, without the password', async () => {
  await withUsers(async ({ storeAs, passwordFile, etcd }) => {
    await writeFile(passwordFile, 'not-the-password');
    const store = storeAs('host');
    await assert.rejects(store.snapshot(NEVER), (error: Error) => {
      assert.equal(
        error.message,
        `Cannot read the network (etcd ${etcd.endpoint}): the user or the password is wrong`,
      );
      assert.ok(!JSON.stringify([error, store.description]).includes('not-the-password'));
      return true;
    });
    await rm(passwordFile);
    await assert.rejects(store.snapshot(NEVER), (error: Error) => error.message.includes(passwordFile));
    store.close();
    const nobody = storeAs(undefined);
    await assert.rejects(nobody.snapshot(NEVER), /it wants a user and a password$/);
    const watch = await nobody.watch(1n, () => {}, NEVER);
    assert.equal(watch.why, 'failed');
    nobody.close();
  });
});

test('a changed password is picked up from the file', async () => {
  await withUsers(async ({ storeAs, asRoot, passwordFile }) => {
    const store = storeAs('host');
    await store.snapshot(NEVER);
    const { endpoint } = { endpoint: store.description };
    assert.ok(!endpoint.includes('first'));
    await asRoot('user', 'delete', 'host');
    await assert.rejects(store.snapshot(NEVER), { name: 'StoreUnavailableError' });
    await asRoot('user', 'add', 'host:second');
    await asRoot('user', 'grant-role', 'host', 'network');
    await writeFile(passwordFile, 'second\n');
    await eventually('the new password is used', 5_000, () => store.snapshot(NEVER));
    assert.equal(await store.compareAndPut(PUT, NEVER), true);
    store.close();
  });
});

test('a password file that may not be read is named, and read once it may be', async () => {
  await withUsers(async ({ storeAs, passwordFile }) => {
    let mayRead = false;
    const store = storeAs('host', {
      async readSecret(path) {
        // As node:fs says it to whoever is not root.
        if (!mayRead) throw new Error(`EACCES: permission denied, open '${path}'`);
        return readFile(path);
      },
    });
    await assert.rejects(store.snapshot(NEVER), (error: StoreUnavailableError) => {
      assert.equal(error.trouble, 'auth');
      assert.ok(
        error.message.includes(`store.passwordFile: EACCES: permission denied, open '${passwordFile}'`),
      );
      return true;
    });
    mayRead = true;
    await store.snapshot(NEVER);
    store.close();
  });
});

test('a restarted etcd, which forgot its tokens, is logged in to again', async () => {
  await withUsers(async ({ storeAs, etcd }) => {
    const store = storeAs('host');
    await store.compareAndPut(PUT, NEVER);
    await etcd.kill();
    await etcd.start();
    await eventually('reads work again', 5_000, () => store.snapshot(NEVER));
    const watching = new AbortController();
    const seen: StoreEvent[] = [];
    const ended = store.watch(1n, (events) => seen.push(...events), watching.signal);
    await eventually('the watch works again', 5_000, () => assert.equal(seen.length, 1));
    watching.abort();
    await ended;
    store.close();
  });
});

test('a write is done all the same when its login has run out meanwhile', async () => {
  await withUsers(async ({ storeAs, asRoot }) => {
    const store = storeAs('host');
    await store.snapshot(NEVER);
    // As time does, it makes the tokens worthless that were given out until now.
    await asRoot('role', 'add', 'guest');
    await asRoot('user', 'grant-role', 'host', 'guest');
    assert.equal(await store.compareAndPut(PUT, NEVER), true);
    store.close();
  });
});

test('no connection is left of a client that is not used any more', async () => {
  const authority = await CertificateAuthority.create();
  try {
    await withUsers(async ({ etcd, storeAs }) => {
      const connections = async () => {
        const sockets = ['ss', '-Htn', 'state', 'established', `( sport = :${etcd.port} )`];
        return (await outputOf(sockets)).split('\n').length - 1;
      };
      // etcd is a client of itself.
      const before = await connections();
      const store = storeAs('host');
      for (let time = 1; time <= 3; time++) {
        const stop = new AbortController();
        const ended = store.watch(1n, () => {}, stop.signal);
        await store.snapshot(NEVER);
        stop.abort();
        await ended;
      }
      await eventually('calls have one', 5_000, async () => assert.equal(await connections(), before + 1));
      store.close();
      await eventually('all are closed', 5_000, async () => assert.equal(await connections(), before));
    }, authority);
  } finally {
    await authority.destroy();
  }
});

test('a user without the right to a key is told so, and stays connected', async () => {
  await withUsers(async ({ etcd, passwordFile }) => {
    const store = createEtcdStore({
      type: 'etcd',
      endpoints: [etcd.endpoint],
      prefix: '/somebody/else',
      leaseTtlSeconds: 60,
      username: 'host',
      passwordFile,
    });
    await assert.rejects(store.snapshot(NEVER), /permission denied for this user$/);
    const watch = await store.watch(1n, () => {}, NEVER);
    assert.ok(watch.why === 'failed' && /permission denied/.test(watch.error.message), JSON.stringify(watch));
    store.close();
  });
});

test('an etcd without authentication says that the user is to be left out', async () => {
  await withEtcd(async (etcd) => {
    const store = createEtcdStore(
      {
        type: 'etcd',
        endpoints: [etcd.endpoint],
        prefix: PREFIX,
        leaseTtlSeconds: 60,
        username: 'host',
        passwordFile: '/x',
      },
      { readSecret: async () => Buffer.from('secret') },
    );
    await assert.rejects(store.snapshot(NEVER), /it has authentication switched off, leave the user out$/);
    store.close();
  });
});
