/** etcd gone, frozen, cut off, compacted, wiped, or full of other things. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ETCD_URL } from '../../lab/cluster.js';
import { PEER_URL } from '../../lab/etcd-host.js';
import { eventually } from '../../lab/eventually.js';
import { storeOf } from '../../lab/store-content.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS, HEALED_MS } from '../station.js';
import { cutOff, NETWORK, STRANGER, storeIs, strangerIsPeer } from '../store-moves.js';

const DEAD_MS = { test: 1_000, standard: 60_000, full: 60_000 } as const;
/** gRPC's keep-alive: a ping every 5 s, 3 s for the answer. */
const DETECTED_MS = 8_500;

export const ETCD_ROWS: readonly Row[] = [
  {
    id: 'E1',
    fault: 'a host boots while etcd is down, and etcd comes later',
    expected:
      'It goes on with what etcd said last: packets flow within a second. It follows etcd when that is there; the time is from then.',
    bar: { healedMs: 2_000, lost: 1_000 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: bootedWithout,
  },
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
    id: 'E11',
    fault: 'etcd comes back empty, or as an old backup has it',
    expected:
      'That is noticed; the other hosts are kept as peers for ten seconds, in which each takes its own subnet again. The time is until all have.',
    bar: { healedMs: 5_000, lost: 0 },
    counts: { test: 1, standard: 6, full: 20 },
    inject: replaced,
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
    id: 'E14',
    fault: 'an operator deletes all leases at once',
    expected:
      'etcd is asked again, and all peers are kept for ten seconds. Each host takes its own lease again.',
    bar: { healedMs: 10_000, lost: 0 },
    counts: { test: 1, standard: 10, full: 50 },
    inject: allDeleted,
  },
  {
    id: 'E16',
    fault: 'a thousand keys are written under a name that begins like that of the leases',
    expected: 'Nothing happens.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 3 },
    inject: siblings,
  },
];

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

const RECORD = '/var/lib/flannelette/flannel0/store.json';
/** It is written half a minute after the last time at the earliest. */
const RECORDED_MS = 40_000;
/** What a boot leaves of a host: the disk. docker0 stays, for the container's sake. */
const BOOT = `
ip link delete flannel0
rm -r /run/flannel /run/flannelette
iptables -F FLANNEL-FWD
sed -i 's/"bootId":"[^"]*"/"bootId":"the one before"/' ${RECORD}`;

async function bootedWithout(scene: Scene) {
  const { first, second, third, probe } = scene;
  await eventually('all hosts are remembered', RECORDED_MS, async () => {
    const record = await first.host.readFile(RECORD);
    for (const { member } of [first, second, third])
      assert.ok(record.includes(`\\"${member.address}\\"`), record);
  });
  first.daemon.signal('SIGKILL');
  await first.daemon.exited;
  await scene.endEtcd();
  await first.shell.run(BOOT);
  const mark = probe.mark();
  const restarted = first.restart();
  await probe.since(probe.mark(), HEALED_MS);
  const { lost } = await probe.since(mark, HEALED_MS);
  await restarted;
  await storeIs(scene, 'stale', 0);
  await scene.startEtcd();
  return { healedMs: await storeIs(scene, 'live', performance.now()), lost };
}

let replacements = 0;

/** By turns empty, and as a backup has it from before a hundred writes. */
async function replaced(scene: Scene) {
  const { cluster } = scene;
  await allSettle(scene);
  const before = await leaseLines(cluster);
  const isFromBackup = replacements++ % 2 === 1;
  if (isFromBackup) {
    await cluster.etcdctl('snapshot', 'save', '/run/backup');
    await cluster.etcd.script(`
for i in $(seq 100); do echo "put /other $i"; done | ETCDCTL_API=3 etcdctl --endpoints ${ETCD_URL} >/run/answer
ETCDCTL_API=3 etcdctl --endpoints ${ETCD_URL} del /other`);
  }
  await scene.endEtcd();
  await cluster.etcd.script('rm -r /var/lib/etcd');
  if (isFromBackup)
    await cluster.etcd.script(
      `ETCDCTL_API=3 etcdctl snapshot restore /run/backup --data-dir /var/lib/etcd --initial-cluster default=${PEER_URL} --initial-advertise-peer-urls ${PEER_URL} 2>/dev/null; rm /run/backup /run/answer`,
    );
  await scene.startEtcd();
  const start = performance.now();
  const healedMs = await scene.first.until(
    'each has its lease again',
    start,
    async () => {
      assert.deepEqual(await leaseLines(cluster), before);
      for (const station of scene.stations) assert.equal((await station.status()).store.status, 'live');
    },
    ASK_EVERY_MS,
  );
  return { healedMs };
}

async function leaseLines(cluster: Scene['cluster']): Promise<readonly string[]> {
  return (await storeOf(cluster)).keys.map(({ key, value }) => `${key} ${value}`).sort();
}

async function allDeleted(scene: Scene) {
  const { first, cluster } = scene;
  await allSettle(scene);
  const before = await leaseLines(cluster);
  const start = performance.now();
  await cluster.etcdctl('del', '--prefix', `${NETWORK}/subnets/`);
  const healedMs = await first.until(
    'each has its lease again',
    start,
    async () => assert.deepEqual(await leaseLines(cluster), before),
    ASK_EVERY_MS,
  );
  return { healedMs };
}

/** Who loses its lease again and again takes it for a fight, and takes its time: each time is to be the first. */
async function allSettle({ stations }: Scene): Promise<void> {
  for (const station of stations) await station.settle();
}
