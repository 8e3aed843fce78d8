/** What every Store promises. Called for real etcd, for the static store and for the fake. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Store, type StoreEntry, type StoreEvent, StoreUnavailableError } from '../../src/ports.js';
import { eventually } from '../lab/eventually.js';

export interface OpenedStore {
  readonly store: Store;
  /** Another client of the same data; it may be the same object. */
  readonly other: Store;
  close(): Promise<void>;
}

const LEASE_VALUE = '{"PublicIP":"192.0.2.11","PublicIPv6":null}';
const SOON_MS = 5_000;

/** `open` gives a store without the key `config` and without a subnet in 10.5.0.0/16; it is called for every test. */
export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  const contract = (sentence: string, body: (opened: OpenedStore, signal: AbortSignal) => Promise<void>) =>
    test(`${name}: ${sentence}`, async () => {
      const opened = await open();
      try {
        await body(opened, new AbortController().signal);
      } finally {
        opened.store.close();
        opened.other.close();
        await opened.close();
      }
    });

  contract(
    'a key that was put is in the next snapshot, of whichever client',
    async ({ store, other }, signal) => {
      const before = await store.snapshot(signal);
      assert.ok(before.revision > 0n);
      assert.notEqual(before.clusterId, '');
      assert.equal(await store.compareAndPut(put('subnets/10.5.1.0-24'), signal), true);
      const after = await other.snapshot(signal);
      assert.ok(after.revision > before.revision);
      assert.equal(after.clusterId, before.clusterId);
      assert.deepEqual(entryOf(after.entries, 'subnets/10.5.1.0-24'), {
        key: 'subnets/10.5.1.0-24',
        value: LEASE_VALUE,
        createRevision: after.revision,
        modRevision: after.revision,
        lease: '0',
      });
    },
  );

  contract('a snapshot holds the network and the leases', async ({ store }, signal) => {
    await store.compareAndPut(put('subnets/10.5.1.0-24'), signal);
    await store.compareAndPut(put('config', { value: '{"Network":"10.5.0.0/16"}' }), signal);
    await store.compareAndPut(put('subnets/10.5.2.0-24'), signal);
    const { entries } = await store.snapshot(signal);
    const keys = entries.map(({ key }) => key).filter((key) => key === 'config' || key.includes('/10.5.'));
    assert.deepEqual(keys.sort(), ['config', 'subnets/10.5.1.0-24', 'subnets/10.5.2.0-24']);
  });

  contract('a put that expects another revision writes nothing', async ({ store, other }, signal) => {
    const key = 'subnets/10.5.1.0-24';
    assert.equal(await store.compareAndPut(put(key, { expected: 7n }), signal), false);
    assert.equal(await store.compareAndPut(put(key), signal), true);
    const before = await store.snapshot(signal);
    assert.equal(await other.compareAndPut(put(key, { value: 'x' }), signal), false);
    assert.equal(
      await other.compareAndPut(put(key, { value: 'x', expected: before.revision + 1n }), signal),
      false,
    );
    assert.deepEqual(await store.snapshot(signal), before);
  });

  contract('a put over a key keeps its create revision', async ({ store }, signal) => {
    const key = 'subnets/10.5.1.0-24';
    await store.compareAndPut(put(key), signal);
    const first = entryOf((await store.snapshot(signal)).entries, key);
    assert.equal(
      await store.compareAndPut(put(key, { value: 'x', expected: first.modRevision }), signal),
      true,
    );
    const second = entryOf((await store.snapshot(signal)).entries, key);
    assert.equal(second.value, 'x');
    assert.equal(second.createRevision, first.createRevision);
    assert.ok(second.modRevision > first.modRevision);
  });

  contract('of many who want a key one gets it', async ({ store, other }, signal) => {
    const key = 'subnets/10.5.1.0-24';
    const tries = Array.from({ length: 8 }, (_, index) =>
      (index % 2 === 0 ? store : other).compareAndPut(put(key, { value: `${index}` }), signal),
    );
    const won = await Promise.all(tries);
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal(entryOf((await store.snapshot(signal)).entries, key).value, `${won.indexOf(true)}`);
  });

  contract('a delete that expects another revision deletes nothing', async ({ store }, signal) => {
    const key = 'subnets/10.5.1.0-24';
    await store.compareAndPut(put(key), signal);
    const { modRevision } = entryOf((await store.snapshot(signal)).entries, key);
    assert.equal(await store.compareAndDelete(key, modRevision + 1n, signal), false);
    assert.equal(await store.compareAndDelete(key, modRevision, signal), true);
    assert.equal(await store.compareAndDelete(key, modRevision, signal), false);
    assert.ok(!(await store.snapshot(signal)).entries.some((entry) => entry.key === key));
  });

  contract('values come back as they were', async ({ store }, signal) => {
    const values = ['', ' ', '\u0000\u001b', '10.5.1.0 – üñî ☃ 𐀀', 'x'.repeat(200_000)];
    for (const [index, value] of values.entries()) {
      await store.compareAndPut(put(`subnets/10.5.${index}.0-24`, { value }), signal);
    }
    const { entries } = await store.snapshot(signal);
    for (const [index, value] of values.entries()) {
      assert.equal(entryOf(entries, `subnets/10.5.${index}.0-24`).value, value);
    }
  });

  contract(
    'a watch tells what happens from its revision on, in order and once',
    async ({ store, other }, signal) => {
      const { revision } = await store.snapshot(signal);
      await other.compareAndPut(put('subnets/10.5.1.0-24'), signal);
      await other.compareAndPut(put('config', { value: '{}' }), signal);
      const past = (await store.snapshot(signal)).revision;
      const seen: StoreEvent[] = [];
      const watching = new AbortController();
      const ended = store.watch(revision + 1n, (events) => seen.push(...events), watching.signal);
      await eventually('the past is replayed', SOON_MS, () => assert.equal(seen.length, 2));
      await other.compareAndPut(put('subnets/10.5.2.0-24'), signal);
      await other.compareAndDelete('subnets/10.5.1.0-24', revision + 1n, signal);
      await eventually('the present is told', SOON_MS, () => assert.equal(seen.length, 4));
      const leases = seen.filter(
        (event) => (event.type === 'put' ? event.entry.key : event.key) !== 'config',
      );
      assert.deepEqual(
        leases.map((event) => (event.type === 'put' ? event.entry : event)),
        [
          entry('subnets/10.5.1.0-24', revision + 1n),
          entry('subnets/10.5.2.0-24', past + 1n),
          { type: 'delete', key: 'subnets/10.5.1.0-24', modRevision: past + 2n },
        ],
      );
      watching.abort();
      assert.deepEqual(await ended, { why: 'aborted' });
      await other.compareAndPut(put('subnets/10.5.3.0-24'), signal);
      assert.equal(seen.length, 4);
    },
  );

  contract('a watch that is aborted beforehand settles', async ({ store }) => {
    assert.deepEqual(await store.watch(1n, () => {}, AbortSignal.abort()), { why: 'aborted' });
  });

  contract('close ends an open watch, and every call after it is refused', async ({ store }, signal) => {
    const { revision } = await store.snapshot(signal);
    const ended = store.watch(revision + 1n, () => {}, signal);
    store.close();
    assert.deepEqual(await ended, { why: 'ended' });
    await assert.rejects(store.snapshot(signal), StoreUnavailableError);
    await assert.rejects(store.grantLease(60, signal), StoreUnavailableError);
    assert.deepEqual(await store.watch(revision + 1n, () => {}, signal), { why: 'ended' });
  });

  contract('a revoked lease takes its keys with it', async ({ store, other }, signal) => {
    const { revision } = await store.snapshot(signal);
    const lease = await store.grantLease(60, signal);
    assert.notEqual(lease, '0');
    await store.compareAndPut(put('subnets/10.5.1.0-24', { lease }), signal);
    await store.compareAndPut(put('subnets/10.5.2.0-24'), signal);
    assert.equal(entryOf((await store.snapshot(signal)).entries, 'subnets/10.5.1.0-24').lease, lease);
    const seen: StoreEvent[] = [];
    const watching = new AbortController();
    const ended = other.watch(revision + 1n, (events) => seen.push(...events), watching.signal);
    await store.revokeLease(lease, signal);
    await eventually('the delete is told', SOON_MS, () => assert.equal(seen.at(-1)?.type, 'delete'));
    watching.abort();
    await ended;
    const keys = (await store.snapshot(signal)).entries.map(({ key }) => key);
    assert.ok(!keys.includes('subnets/10.5.1.0-24'));
    assert.ok(keys.includes('subnets/10.5.2.0-24'));
    await store.revokeLease(lease, signal); // Gone already is success.
  });

  contract(
    'a lease tells the seconds it has left, and 0 when it is gone',
    async ({ store, other }, signal) => {
      const lease = await store.grantLease(60, signal);
      const left = await other.keepAlive(lease, signal);
      assert.ok(left > 50 && left <= 60, `${left} seconds left`);
      const alsoLeft = await other.secondsLeft(lease, signal);
      assert.ok(alsoLeft > 50 && alsoLeft <= 60, `${alsoLeft} seconds left`);
      await store.revokeLease(lease, signal);
      assert.equal(await store.keepAlive(lease, signal), 0);
      assert.equal(await store.secondsLeft(lease, signal), 0);
      assert.equal(await store.keepAlive('987654321', signal), 0);
    },
  );

  contract('nothing hangs on a lease that is gone', async ({ store }, signal) => {
    const lease = await store.grantLease(60, signal);
    await store.revokeLease(lease, signal);
    await assert.rejects(store.compareAndPut(put('subnets/10.5.1.0-24', { lease }), signal), {
      name: 'StoreUnavailableError',
      message: /the lease is gone$/,
    });
  });

  contract('a key can be moved to another lease and off any', async ({ store }, signal) => {
    const key = 'subnets/10.5.1.0-24';
    const [first, second] = [await store.grantLease(60, signal), await store.grantLease(60, signal)];
    await store.compareAndPut(put(key, { lease: first }), signal);
    const now = async () => entryOf((await store.snapshot(signal)).entries, key);
    await store.compareAndPut(put(key, { lease: second, expected: (await now()).modRevision }), signal);
    await store.revokeLease(first, signal);
    assert.equal((await now()).lease, second);
    await store.compareAndPut(put(key, { lease: '0', expected: (await now()).modRevision }), signal);
    await store.revokeLease(second, signal);
    assert.equal((await now()).lease, '0');
  });

  contract('an aborted call rejects with the signal’s reason', async ({ store }) => {
    const reason = new Error('stop');
    const signal = AbortSignal.abort(reason);
    const calls = [
      () => store.snapshot(signal),
      () => store.compareAndPut(put('subnets/10.5.1.0-24'), signal),
      () => store.compareAndDelete('subnets/10.5.1.0-24', 0n, signal),
      () => store.grantLease(60, signal),
      () => store.keepAlive('1', signal),
      () => store.revokeLease('1', signal),
    ];
    for (const call of calls) await assert.rejects(call(), (error) => error === reason);
  });
}

function put(key: string, more: { value?: string; expected?: bigint; lease?: string } = {}) {
  return { key, value: LEASE_VALUE, expected: 0n, lease: '0', ...more };
}

function entry(key: string, revision: bigint): StoreEntry {
  return { key, value: LEASE_VALUE, createRevision: revision, modRevision: revision, lease: '0' };
}

function entryOf(entries: readonly StoreEntry[], key: string): StoreEntry {
  const found = entries.find((candidate) => candidate.key === key);
  assert.ok(found, `no ${key} among ${entries.map((candidate) => candidate.key).join(', ')}`);
  return found;
}
