/** etcd gone, frozen, cut off, compacted, wiped, or full of other things; and this host's own lease in it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { leasesOf, type StoreKey } from '../../lab/store-content.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS } from '../station.js';

const DEAD_MS = { test: 3_000, standard: 60_000, full: 60_000 } as const;
const NETWORK = '/coreos.com/network';
const STRANGER = { key: `${NETWORK}/subnets/4.0.250.0-24`, publicIp: '10.8.65.250' };
/** gRPC's keep-alive: a ping every 5 s, 3 s for the answer. */
const DETECTED_MS = 8_500;

export const ETCD_ROWS: readonly Row[] = [
  {
    id: 'E2',
    fault: 'etcd is killed, and back after a minute',
    expected: 'Packets flow on. The store is followed again soon after it is back.',
    bar: { healedMs: 2_000, lost: 0, cpuPercent: 5, logLinesPerMinute: 60 },
    counts: { test: 1, standard: 1, full: 3 },
    inject: killed,
  },
  {
    id: 'E3',
    fault: 'etcd is frozen',
    expected:
      'That is noticed without its help and told; nothing is removed. The time is until it is noticed.',
    bar: { healedMs: DETECTED_MS, lost: 0, cpuPercent: 5, logLinesPerMinute: 60 },
    counts: { test: 1, standard: 2, full: 10 },
    inject: frozen,
  },
  {
    id: 'E4',
    fault: 'packets to etcd vanish',
    expected: 'The same.',
    bar: { healedMs: DETECTED_MS, lost: 0, cpuPercent: 5, logLinesPerMinute: 60 },
    counts: { test: 1, standard: 2, full: 10 },
    inject: blackHole,
  },
  {
    id: 'E6',
    fault: 'etcd is compacted past what a host has seen while it is cut off',
    expected:
      'Everything is listed anew: what came, went or changed meanwhile is known. The time is from the way being open again.',
    bar: { healedMs: 3_000, lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: compacted,
  },
  {
    id: 'E13',
    fault: "the network's key in etcd is overwritten with garbage",
    expected: 'The last good network is gone on with; condition `NetworkInvalid`.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: networkGarbage,
  },
  {
    id: 'E16',
    fault: 'a thousand keys are written under a name that begins like that of the leases',
    expected: 'Nothing happens.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 3 },
    inject: siblings,
  },
  {
    id: 'L3',
    fault: "this host's lease is deleted",
    expected: 'It is taken again, with the same subnet.',
    bar: { healedMs: 1_000, lost: 1_000 },
    remark:
      'packets are lost because the other hosts take the word of etcd: they send nothing there until the lease is back.',
    counts: { test: 2, standard: 20, full: 100 },
    inject: (scene) => leaseLost(scene, ({ key }) => ['del', key]),
  },
  {
    id: 'L4',
    fault: "this host's lease expires (it is revoked in etcd)",
    expected: 'It is taken again, with the same subnet.',
    bar: { healedMs: 1_000, lost: 1_000 },
    remark:
      'packets are lost because the other hosts take the word of etcd: they send nothing there until the lease is back.',
    counts: { test: 2, standard: 20, full: 100 },
    inject: (scene) => leaseLost(scene, ({ lease }) => ['lease', 'revoke', BigInt(lease).toString(16)]),
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

async function storeIs({ first }: Scene, status: 'live' | 'stale', sinceMs: number): Promise<number> {
  return first.until(
    `the store is ${status}`,
    sinceMs,
    async () => assert.equal((await first.status()).store.status, status),
    // Seldom: the daemon's processor time is measured meanwhile.
    100,
  );
}

async function killed(scene: Scene, size: Size) {
  const start = performance.now();
  await scene.endEtcd();
  await sleep(DEAD_MS[size]);
  assert.equal((await scene.first.status()).ready, true);
  const faultMs = performance.now() - start;
  await scene.startEtcd();
  return { healedMs: await storeIs(scene, 'live', performance.now()), faultMs };
}

async function frozen(scene: Scene) {
  const start = performance.now();
  scene.etcdProcess.signal('SIGSTOP');
  const detectedMs = await storeIs(scene, 'stale', start).finally(() => scene.etcdProcess.signal('SIGCONT'));
  const { ready, peers } = await scene.first.status();
  assert.deepEqual([ready, peers.length], [true, 2]);
  await storeIs(scene, 'live', start);
  return { healedMs: detectedMs, faultMs: performance.now() - start };
}

async function blackHole(scene: Scene) {
  const open = await cutOff(scene, 'DROP');
  const start = performance.now();
  const detectedMs = await storeIs(scene, 'stale', start).finally(open);
  await storeIs(scene, 'live', start);
  return { healedMs: detectedMs, faultMs: performance.now() - start };
}

/** Between the first host and etcd; resolves with how to end that. */
async function cutOff({ cluster, first }: Scene, target: string): Promise<() => Promise<unknown>> {
  const rule = `INPUT -p tcp -s ${first.member.address} --dport 2379 -j ${target}`;
  await cluster.etcd.script(`iptables -w 5 -I ${rule}`);
  return () => cluster.etcd.script(`iptables -w 5 -D ${rule}`);
}

async function compacted(scene: Scene) {
  const { first, cluster } = scene;
  const open = await cutOff(scene, 'REJECT --reject-with tcp-reset');
  try {
    await storeIs(scene, 'stale', 0);
    await cluster.etcdctl('put', STRANGER.key, JSON.stringify({ PublicIP: STRANGER.publicIp }));
    const { header } = JSON.parse(await cluster.etcdctl('put', '/other', '1', '-w', 'json')) as {
      header: { revision: number };
    };
    await cluster.etcdctl('compact', String(header.revision));
  } finally {
    await open();
  }
  const healedMs = await strangerIsPeer(scene, true, performance.now());
  await cluster.etcdctl('del', STRANGER.key);
  await cluster.etcdctl('del', '/other');
  await strangerIsPeer(scene, false, 0);
  assert.equal((await first.status()).peers.length, 2);
  return { healedMs };
}

function strangerIsPeer({ first }: Scene, isPeer: boolean, sinceMs: number): Promise<number> {
  return first.until(
    `the stranger is ${isPeer ? 'a' : 'no'} peer`,
    sinceMs,
    async () => {
      const { peers } = await first.status();
      assert.equal(
        peers.some(({ publicIp }) => publicIp === STRANGER.publicIp),
        isPeer,
      );
    },
    ASK_EVERY_MS,
  );
}

async function networkGarbage({ first, cluster }: Scene) {
  const key = `${NETWORK}/config`;
  const good = (await cluster.etcdctl('get', '--print-value-only', key)).trimEnd();
  const start = performance.now();
  await cluster.etcdctl('put', key, '{"Network":');
  const isTold = async (told: boolean) => {
    const { objects } = await first.status();
    assert.equal(
      objects.some(({ kind, state }) => kind === 'network-config' && state === 'conflict'),
      told,
    );
  };
  const healedMs = await first.until('the garbage is told', start, () => isTold(true), ASK_EVERY_MS);
  await cluster.etcdctl('put', key, good);
  await first.until('all is well', start, () => isTold(false), ASK_EVERY_MS);
  return { healedMs };
}

async function siblings({ cluster, first }: Scene) {
  const before = (await first.status()).notes;
  await cluster.etcd.script(
    `
for i in $(seq 0 99); do
  for j in 0 1 2 3 4 5 6 7 8 9; do echo "put ${NETWORK}/subnetsX/4.0.$i.$j-24 {}"; done | sed '1s/^/\\n/; $s/$/\\n\\n/' >/run/siblings
  ETCDCTL_API=3 etcdctl --endpoints http://10.8.64.10:2379 txn </run/siblings >/run/answer
done
rm /run/siblings /run/answer`,
    { timeoutMs: 60_000 },
  );
  const { ready, notes } = await first.status();
  assert.deepEqual([ready, notes], [true, before]);
  await cluster.etcdctl('del', '--prefix', `${NETWORK}/subnetsX`);
  return { times: 1_000 };
}

async function leaseLost({ first, cluster }: Scene, command: (lease: StoreKey) => readonly string[]) {
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
