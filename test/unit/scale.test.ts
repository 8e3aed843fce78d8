/** What a changed lease costs in a network of a hundred hosts, and in one of ten thousand: counted, not timed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type DaemonWorld, withDaemon } from '../fakes/daemon-world.js';
import { countingWork, type Work, type WorkCounter } from '../lab/work-counter.js';

const CONFIG = `
network: { cidr: 10.64.0.0/10, subnetLength: 24 }
host: { subnet: 10.64.100.0/24 }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;
const SETTLED_MS = 500;
/** Changes that are counted together: one is written, one rewritten, one deleted, each three times. */
const CHANGES = 9;

test('one changed lease is the same work among a hundred peers and among ten thousand', async (t) => {
  const [few, many] = await countingWork(async (counter) => [
    await workOfChanges(counter, 100),
    await workOfChanges(counter, 10_000),
  ]);
  t.diagnostic(`calls and turns of loops for a change: ${few.total / CHANGES} and ${many.total / CHANGES}`);
  const told = `${few.total} and ${many.total}; most of it:\n${many.byFunction
    .slice(0, 20)
    .map((line) => line.join(' '))
    .join('\n')}`;
  assert.ok(few.total > 100 * CHANGES, `too little to be true: ${told}`);
  // How many bits a prefix shares with others differs by a little.
  assert.ok(many.total < few.total * 1.1, told);
});

async function workOfChanges(counter: WorkCounter, peers: number): Promise<Work> {
  let work: Work = { total: 0, byFunction: [] };
  await withDaemon(
    async (world) => {
      assert.equal(world.dataPlane.peers().length, peers);
      await counter.take();
      for (let number = 200; number < 200 + CHANGES / 3; number++) {
        await change(world, number, '10.9.200.1');
        await change(world, number, '10.9.200.2');
        await change(world, number);
      }
      work = await counter.take();
      assert.equal(world.dataPlane.peers().length, peers);
    },
    { text: CONFIG, prepare: (world) => join(world, peers) },
  );
  return work;
}

async function join({ store }: DaemonWorld, peers: number): Promise<void> {
  const { signal } = new AbortController();
  for (let number = 256; number < 256 + peers; number++) {
    const put = { key: keyOf(number), value: leaseText(addressOf(number)), expected: 0n, lease: '0' };
    assert.ok(await store.compareAndPut(put, signal));
  }
}

/** Deletes without an address. */
async function change({ store, clock }: DaemonWorld, number: number, publicIp?: string): Promise<void> {
  if (publicIp === undefined) await store.delete(keyOf(number));
  else await store.put(keyOf(number), leaseText(publicIp));
  await clock.advance(SETTLED_MS);
}

function keyOf(number: number): string {
  return `subnets/10.${64 + (number >> 8)}.${number & 255}.0-24`;
}

function addressOf(number: number): string {
  return `10.9.${number >> 8}.${number & 255}`;
}

function leaseText(publicIp: string): string {
  return `{"PublicIP":"${publicIp}","PublicIPv6":null}`;
}
