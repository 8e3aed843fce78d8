/** The interface that carries the packets to the other hosts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { leasesOf, storeOf } from '../../lab/store-content.js';
import { udpSocketIn } from '../../lab/udp-socket.js';
import { Probe } from '../probe.js';
import type { Row } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS, HEALED_MS } from '../station.js';

export const EXTERNAL_ROWS: readonly Row[] = [
  {
    id: 'X1',
    fault: 'the cable is pulled and put back ten times',
    expected:
      'Nothing is written to etcd or to the kernel; packets flow as soon as it is back. The time is from plain packets between the two hosts flowing again.',
    bar: { healedMs: 200 },
    remark:
      "the kernel asks once a second who has the other host's address: until it has an answer, up to a second after the cable is back, nothing passes between the two hosts, whatever carries it.",
    counts: { test: 1, standard: 10, full: 50 },
    inject: (scene) => beside(scene, (plain) => flaps(scene, plain)),
  },
  {
    id: 'X2',
    fault: "the interface's address is exchanged for another, and back",
    expected:
      'The same subnet is kept: the lease says the new address, the other hosts follow. The time is until packets flow both ways.',
    bar: { healedMs: 1_000, lost: 1_000 },
    counts: { test: 1, standard: 15, full: 50 },
    inject: readdressed,
  },
  {
    id: 'X3',
    fault: 'the default route moves to another interface, and back; then the interface is away for a second',
    expected:
      'The interface in use is kept while it has its address, so nothing changes. When it is back packets flow on; the time is from plain packets between the two hosts flowing again. Nothing is written to etcd.',
    bar: { healedMs: 1_000 },
    remark:
      'as in X1 the kernel may need a second to ask for the other host; another interface is taken when the one in use has been without its address for ten seconds: below that nothing is written for a flap (X1).',
    counts: { test: 1, standard: 10, full: 50 },
    inject: (scene) => beside(scene, (plain) => interfaceMoves(scene, plain)),
  },
  {
    id: 'X4',
    fault: "the underlay's MTU is lowered, and raised again",
    expected: "flannel0's follows, and the files that Docker starts from say so.",
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 15, full: 50 },
    remark: 'an MTU that is smaller somewhere on the way is found by nobody: `network.mtu` is for that.',
    inject: underlayMtu,
  },
  {
    id: 'X5',
    fault: 'another program has the port when the daemon starts',
    expected: 'Condition `ForwarderFailed`, not ready; it tries again, and is ready when the port is free.',
    bar: { healedMs: 1_000 },
    counts: { test: 1, standard: 10, full: 50 },
    inject: portTaken,
  },
];

const FLAPS = 10;

/** With plain packets between the two hosts. */
async function beside<T>({ first, second }: Scene, inject: (plain: Probe) => Promise<T>): Promise<T> {
  const plain = await Probe.start(
    [first, second].map(({ host, member }) => ({ pid: host.pid, address: member.address })),
  );
  return inject(plain).finally(() => plain.close());
}

/** How long after plain packets those of the containers flow again. */
async function flowsAfter(plain: Probe, probe: Probe): Promise<number> {
  const [plainMs, ownMs] = await Promise.all([flowsAgainAfter(plain), flowsAgainAfter(probe)]);
  return Math.max(0, ownMs - plainMs);
}

async function flaps({ first, cluster, probe }: Scene, plain: Probe) {
  const { underlay } = cluster;
  const [port = ''] =
    (await underlay.output(['ip', '-oneline', 'link', 'show', 'type', 'veth'])).match(/port2(?=@)/) ?? [];
  const before = (await storeOf(cluster)).revision;
  const changed = () => first.daemon.lines.filter((line) => line.includes('"msg":"changed"')).length;
  const changes = changed();
  await underlay.script(
    Array(FLAPS).fill(`ip link set ${port} down; sleep 0.1; ip link set ${port} up`).join('; sleep 0.1; '),
  );
  const healedMs = await flowsAfter(plain, probe);
  assert.equal((await storeOf(cluster)).revision, before);
  assert.equal(changed(), changes);
  return { healedMs };
}

async function flowsAgainAfter(probe: Probe): Promise<number> {
  const start = performance.now();
  await probe.since(probe.mark(), HEALED_MS);
  return performance.now() - start;
}

const OTHER_ADDRESS = '10.8.77.77';

async function readdressed(scene: Scene) {
  const { first, cluster } = scene;
  const own = first.member.address;
  const [lease] = await leasesOf(cluster, own);
  const times: number[] = [];
  const losses: number[] = [];
  for (const [from, to] of [
    [own, OTHER_ADDRESS],
    [OTHER_ADDRESS, own],
  ] as const) {
    const mark = scene.probe.mark();
    times.push(await followedAfter(scene, from, to));
    losses.push((await scene.probe.since(mark, HEALED_MS)).lost);
    const [now] = await leasesOf(cluster, to);
    assert.deepEqual([now?.key, now?.lease], [lease?.key, lease?.lease], 'another subnet');
    await first.settle();
  }
  assert.equal((await leasesOf(cluster, own))[0]?.value, lease?.value);
  return { healedMs: Math.max(...times), lost: Math.max(...losses), times: times.length };
}

async function followedAfter({ first, probe }: Scene, from: string, to: string): Promise<number> {
  const start = performance.now();
  await first.shell.run(`
ip address delete ${from}/16 dev eth0
ip address add ${to}/16 dev eth0
ip route add default via ${GATEWAY}`);
  await probe.since(probe.mark(), HEALED_MS);
  return performance.now() - start;
}

const GATEWAY = '10.8.0.1';
const AWAY_MS = 1_000;

async function interfaceMoves({ first, cluster, probe }: Scene, plain: Probe) {
  const { shell } = first;
  const before = (await storeOf(cluster)).revision;
  const mark = probe.mark();
  await shell.run(`
ip link add other0 type veth peer name other1
ip address add 192.0.2.9/24 dev other0
ip link set other0 up
ip link set other1 up
ip route replace default via 192.0.2.1 dev other0`);
  // It looks at everything anew.
  await first.settle();
  assert.deepEqual((await first.status()).network?.publicIps, [first.member.address]);
  assert.equal((await probe.since(mark, HEALED_MS)).lost, 0);
  await shell.run(`ip link delete other0; ip route replace default via ${GATEWAY} dev eth0`);

  await shell.run('ip netns add away; ip link set eth0 netns away');
  await sleep(AWAY_MS);
  await shell.run(`
ip -n away link set eth0 netns $$
ip address add ${first.member.address}/16 dev eth0
ip link set eth0 up
ip route add default via ${GATEWAY}
ip netns delete away; umount /run/netns; rmdir /run/netns`);
  const healedMs = await flowsAfter(plain, probe);
  await first.settle();
  assert.equal((await storeOf(cluster)).revision, before);
  return { healedMs, times: 2 };
}

const ENV = '/run/flannel/subnet.env';

async function underlayMtu({ first }: Scene) {
  const times: number[] = [];
  for (const mtu of [1_400, 1_500]) {
    const start = performance.now();
    await first.shell.run(`ip link set eth0 mtu ${mtu}`);
    const wanted = mtu - UDP_OVERHEAD_BYTES;
    times.push(
      await first.until('device and file follow', start, async () => {
        const [device] = (await first.netlink.links()).filter(({ name }) => name === 'flannel0');
        assert.equal(device?.mtu, wanted);
        assert.match(readFileSync(first.path(ENV), 'utf8'), new RegExp(`^FLANNEL_MTU=${wanted}$`, 'm'));
      }),
    );
  }
  return { healedMs: Math.max(...times), times: times.length };
}

/** The IP header and the UDP header around each packet. */
const UDP_OVERHEAD_BYTES = 28;
const PORT = 8285;

async function portTaken({ first }: Scene) {
  first.daemon.signal('SIGTERM');
  await first.daemon.exited;
  const socket = await udpSocketIn(first.host, PORT);
  try {
    first.daemon = first.member.start();
    await first.until(
      'the trouble is told',
      0,
      async () => {
        const { ready, conditions } = await first.status();
        assert.equal(ready, false);
        assert.ok(
          conditions.some(({ type }) => type === 'ForwarderFailed'),
          JSON.stringify(conditions),
        );
      },
      ASK_EVERY_MS,
    );
  } finally {
    socket.close();
  }
  const healedMs = await first.until(
    'it is ready',
    performance.now(),
    async () => assert.equal((await first.status()).ready, true),
    ASK_EVERY_MS,
  );
  return { healedMs };
}
