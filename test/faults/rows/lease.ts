/** This host's own lease in etcd: deleted, expired, stolen, doubled, or not to be had. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { allocationsOfRace } from '../../alone/allocation-race.js';
import { withEtcd } from '../../lab/etcd.js';
import { leasesOf, type StoreKey, storeOf } from '../../lab/store-content.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS, type Station } from '../station.js';
import { leaseAt, STRANGER, strangerIsPeer } from '../store-moves.js';

const RACE = {
  test: { processes: 2, hostsEach: 10 },
  standard: { processes: 10, hostsEach: 10 },
  full: { processes: 10, hostsEach: 10 },
} as const;
const THIEF = '10.8.65.99';

export const LEASE_ROWS: readonly Row[] = [
  {
    id: 'L1',
    fault: 'a hundred hosts want a subnet at once',
    expected:
      'Each has one that nobody else has. The time is from the first that asks to the last that has one.',
    bar: { healedMs: 3_000 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: raced,
  },
  {
    id: 'L2',
    fault: "another host writes itself into this host's lease, and takes that back",
    expected:
      'Nothing is forwarded into the subnet any more; `LeaseConflict` and `RenumberRequired` say what comes. When the lease is right again before that, all goes on with the same subnet. The time is until the packet loop has stopped.',
    bar: { healedMs: 1_000 },
    counts: { test: 1, standard: 10, full: 30 },
    inject: stolen,
  },
  {
    id: 'L3',
    fault: "this host's lease is deleted",
    expected: 'It is taken again, with the same subnet; the other hosts keep the peer for two seconds.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 20, full: 100 },
    inject: (scene) => leaseLost(scene, ({ key }) => ['del', key]),
  },
  {
    id: 'L4',
    fault: "this host's lease expires (it is revoked in etcd)",
    expected: 'It is taken again, with the same subnet; the other hosts keep the peer for two seconds.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 20, full: 100 },
    inject: (scene) => leaseLost(scene, ({ lease }) => ['lease', 'revoke', BigInt(lease).toString(16)]),
  },
  {
    id: 'L5',
    fault: 'the lease expires, and another host has the subnet',
    expected:
      'It is not fought for. After five seconds of `RenumberRequired` another subnet is taken, the files say so, and it is told that Docker does not know yet.',
    bar: { healedMs: 8_000, lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: taken,
  },
  {
    id: 'L8',
    fault: 'leases are lost and taken again, and daemons killed and started, over and over',
    expected: 'One etcd lease for each host is left: what is not wanted any more is given back.',
    bar: { healedMs: 2_000 },
    counts: { test: 1, standard: 5, full: 20 },
    remark:
      'a daemon that is killed before it has given the former one back leaves that, until its time is over.',
    inject: renewedOften,
  },
  {
    id: 'L10',
    fault: 'a reservation, a lease without an end, is added and removed',
    expected: 'Its subnet is a peer at once, and is none at once.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 10, full: 50 },
    inject: reservation,
  },
];

/** A lease that comes and goes more often than this is damped: each loss is to be one alone. */
const APART_MS = 1_100;

async function leaseLost({ first, cluster }: Scene, command: (lease: StoreKey) => readonly string[]) {
  await sleep(APART_MS);
  const address = first.member.address;
  const [lease] = await leasesOf(cluster, address);
  assert.ok(lease);
  const start = performance.now();
  await cluster.etcdctl(...command(lease));
  let again: StoreKey | undefined;
  const healedMs = await first.until(
    'the lease is back',
    start,
    async () => {
      [again] = await leasesOf(cluster, address);
      assert.ok(again);
    },
    ASK_EVERY_MS,
  );
  assert.deepEqual([again?.key, again?.value], [lease.key, lease.value]);
  assert.notEqual(again?.lease, '0');
  return { healedMs };
}

async function reservation(scene: Scene) {
  const start = performance.now();
  await scene.cluster.etcdctl('put', STRANGER.key, JSON.stringify({ PublicIP: STRANGER.publicIp }));
  const addedMs = await strangerIsPeer(scene, true, start);
  const removal = performance.now();
  await scene.cluster.etcdctl('del', STRANGER.key);
  return { healedMs: Math.max(addedMs, await strangerIsPeer(scene, false, removal)) };
}

async function raced(_: Scene, size: Size) {
  const { processes, hostsEach } = RACE[size];
  const times = processes * hostsEach;
  return withEtcd(async (etcd) => {
    await etcd.ctl('put', '/race/config', '{"Network":"10.5.0.0/16"}');
    const allocations = await allocationsOfRace(etcd.endpoint, '/race', processes, hostsEach);
    assert.equal(new Set(allocations.map(({ subnet }) => subnet)).size, times);
    const begun = Math.min(...allocations.map(({ grantedAt }) => grantedAt));
    return { healedMs: Math.max(...allocations.map(({ doneAt }) => doneAt)) - begun, times };
  });
}

async function stolen({ first, cluster }: Scene) {
  const [lease] = await leasesOf(cluster, first.member.address);
  assert.ok(lease);
  const start = performance.now();
  await cluster.etcdctl('put', lease.key, leaseAt(THIEF));
  const healedMs = await first.until(
    'nothing is forwarded',
    start,
    async () => {
      const { peers, conditions } = await first.status();
      const told = conditions.map(({ type }) => type).filter((type) => /^(Lease|Renumber)/.test(type));
      assert.deepEqual([peers, told], [[], ['LeaseConflict', 'RenumberRequired']]);
    },
    ASK_EVERY_MS,
  );
  await cluster.etcdctl('put', `--lease=${BigInt(lease.lease).toString(16)}`, lease.key, lease.value);
  await first.until('all is as before', start, async () => assert.equal((await first.status()).ready, true));
  const [again] = await leasesOf(cluster, first.member.address);
  assert.deepEqual([again?.key, again?.lease], [lease.key, lease.lease]);
  return { healedMs };
}

async function taken({ third, cluster }: Scene) {
  const [lease] = await leasesOf(cluster, third.member.address);
  assert.ok(lease);
  const { host } = third;
  const files = await Promise.all(FILES.map((name) => host.readFile(name)));
  const start = performance.now();
  await cluster.etcdctl('put', lease.key, leaseAt(THIEF));
  const healedMs = await third.until(
    'another subnet is in use',
    start,
    async () => {
      const { ready, conditions, network } = await third.status();
      assert.ok(
        conditions.some(({ type }) => type === 'DockerOutOfStep'),
        JSON.stringify(conditions),
      );
      assert.equal(ready, true);
      assert.ok(!lease.key.endsWith(String(network?.subnets[0]?.replace('/', '-'))));
    },
    ASK_EVERY_MS,
  );
  assert.notEqual(await host.readFile(FILES[0]), files[0]);
  const { keys } = await storeOf(cluster);
  assert.equal(keys.find(({ key }) => key === lease.key)?.value, leaseAt(THIEF), 'it was fought for');
  await backTo(third, cluster, lease, () =>
    Promise.all(FILES.map((name, index) => host.writeFile(name, files[index] ?? ''))),
  );
  return { healedMs };
}

/** With the record of what was written. */
const FILES = [
  '/run/flannel/subnet.env',
  '/run/flannel/docker',
  '/var/lib/flannelette/flannel0/files.json',
] as const;

/** The subnet that it had before, so that its containers and the other rows find it. */
async function backTo(
  station: Station,
  cluster: Scene['cluster'],
  lease: StoreKey,
  restoreFiles: () => Promise<unknown>,
): Promise<void> {
  station.daemon.signal('SIGTERM');
  await station.daemon.exited;
  for (const { key, lease: id } of await leasesOf(cluster, station.member.address)) {
    await cluster.etcdctl('del', key);
    await cluster.etcdctl('lease', 'revoke', BigInt(id).toString(16));
  }
  await cluster.etcdctl('del', lease.key);
  await restoreFiles();
  await station.restart();
  const [again] = await leasesOf(cluster, station.member.address);
  assert.equal(again?.key, lease.key);
}

const ROUNDS = 2;

async function renewedOften(scene: Scene) {
  const { first, cluster } = scene;
  const leases = async () => (await cluster.etcdctl('lease', 'list')).trim().split('\n').length - 1;
  const before = await leases();
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await leaseLost(scene, ({ key }) => ['del', key]);
    const oneEach = async () => assert.equal(await leases(), before);
    times.push(await first.until('one etcd lease for each host is left', start, oneEach, ASK_EVERY_MS));
    first.daemon.signal('SIGKILL');
    await first.daemon.exited;
    await first.restart();
    await oneEach();
  }
  return { healedMs: Math.max(...times), times: 2 * ROUNDS };
}
