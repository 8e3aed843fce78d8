/** Ten hosts that start at once on one etcd: ten subnets, and each host knows the nine others. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { StatusReport } from '../../src/model/status.js';
import { type Cluster, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { summary } from '../lab/figures.js';
import { storeOf } from '../lab/store-content.js';

const HOSTS = 10;
/** From the last host's word that it is ready. */
const KNOWN_MS = 3_000;
/** Ten times Node on two processors. */
const READY_MS = 120_000;
/** The full measurement takes 20; each counts from a fresh etcd. */
const STARTS = Number(process.env.STARTS ?? 2);

test(`${HOSTS} hosts that start at once`, { timeout: 60_000 + STARTS * 150_000 }, async (t) => {
  const readyMs: number[] = [];
  const knownMs: number[] = [];
  for (let start = 1; start <= STARTS; start++) {
    await t.test(`start ${start} of ${STARTS}`, () =>
      onCluster({ hosts: HOSTS }, async (cluster) => {
        const times = await startAll(cluster);
        readyMs.push(times.readyMs);
        knownMs.push(times.knownMs);
        await assertDistinct(cluster);
      }),
    );
  }
  t.diagnostic(`from the start to the last "ready", ms: ${summary(readyMs)}`);
  t.diagnostic(`from the last "ready" to all peers known everywhere, ms: ${summary(knownMs)}`);
});

async function startAll({ members }: Cluster): Promise<{ readyMs: number; knownMs: number }> {
  const start = performance.now();
  const daemons = members.map((member) => member.start());
  await Promise.all(daemons.map((daemon) => daemon.waitForLine(/"msg":"ready"/, READY_MS)));
  const ready = performance.now();
  // All at once, so that one that is slow to answer does not hide another.
  await Promise.all(
    members.map(({ host }) =>
      eventually(`${host.name} knows the others`, KNOWN_MS, async () => {
        const { peers } = await statusOf(host);
        assert.equal(peers.length, HOSTS - 1);
      }),
    ),
  );
  return { readyMs: ready - start, knownMs: performance.now() - ready };
}

/** One lease a host, each on a subnet of its own, and every host's row of every other is right. */
async function assertDistinct(cluster: Cluster): Promise<void> {
  const { keys, leases } = await storeOf(cluster);
  const held = new Map(
    keys
      .filter(({ key }) => key.includes('/subnets/'))
      .map(({ key, value }) => [publicIpOf(value), key.split('/').at(-1)?.replace('-', '/')]),
  );
  assert.equal(held.size, HOSTS);
  assert.equal(new Set(held.values()).size, HOSTS);
  assert.match(leases, new RegExp(`^found ${HOSTS} leases$`, 'm'), 'no etcd lease is left from a lost race');
  for (const { host, address } of cluster.members) {
    const status: StatusReport = await statusOf(host);
    assert.equal(status.ready, true, status.reason);
    const rows = new Map(status.peers.map(({ publicIp, subnet }) => [publicIp, subnet]));
    rows.set(address, status.network?.subnets[0] ?? 'none');
    assert.deepEqual(Object.fromEntries([...rows].sort()), Object.fromEntries([...held].sort()), host.name);
  }
}

function publicIpOf(value: string): string {
  return (JSON.parse(value) as { PublicIP: string }).PublicIP;
}
