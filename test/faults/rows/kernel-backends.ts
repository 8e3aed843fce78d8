/** What somebody changes by hand where the kernel carries the packets: the same promises as in kernel.ts, for vxlan and host-gw. */
import assert from 'node:assert/strict';
import { worldDifference, worldOf } from '../../lab/host-world.js';
import type { Bar, Counts, Row } from '../row.js';
import type { Scene, Stage } from '../scene.js';
import { ASK_EVERY_MS } from '../station.js';
import { intruder } from './kernel.js';

const OFTEN: Counts = { test: 1, standard: 30, full: 200 };
const QUICKLY: Bar = { healedMs: 100, lost: 100 };

/** The peer that the probe's packets go to. */
interface Peer {
  /** `4.0.7.0/24` */
  readonly subnet: string;
  /** What stands for it in flannel.1: `4.0.7.0`. */
  readonly gateway: string;
  readonly mac: string;
}

type Fault = Pick<Row, 'id' | 'fault' | 'expected' | 'bar' | 'remark'>;

function byHand(stage: Stage, fault: Fault, script: (peer: Peer) => string): Row {
  return {
    ...fault,
    stage,
    fault: `${stage}: ${fault.fault}`,
    counts: OFTEN,
    inject: async (scene) => ({ healedMs: await scene.first.healedAfter(script(await peerOf(scene))) }),
  };
}

async function peerOf({ first, second }: Scene): Promise<Peer> {
  const { peers } = await first.status();
  const subnet = peers.find(({ publicIp }) => publicIp === second.member.address)?.subnet;
  assert.ok(subnet, 'the second host is no peer');
  const gateway = subnet.replace('/24', '');
  const [, mac = ''] =
    /lladdr (\S+)/.exec(
      await first.shell.run(`ip neigh show ${gateway} dev flannel.1 2>/dev/null || true`),
    ) ?? [];
  return { subnet, gateway, mac };
}

const DEVICE_ROWS: readonly Row[] = [
  byHand(
    'vxlan',
    {
      id: 'K1v',
      fault: 'flannel.1 is deleted',
      expected: 'Device, MAC, address, neighbours, forwarding entries and routes are made again.',
      bar: { healedMs: 250, lost: 250 },
    },
    () => 'ip link delete flannel.1',
  ),
  byHand(
    'vxlan',
    {
      id: 'K2v',
      fault: 'flannel.1 is set down',
      expected: 'It is set up again, and what went with it comes back.',
      bar: { healedMs: 150, lost: 150 },
      remark:
        'the kernel drops the neighbours and routes of a device that goes down; they come back one kind after the other, so that no packet ever waits for ARP.',
    },
    () => 'ip link set flannel.1 down',
  ),
  byHand(
    'vxlan',
    {
      id: 'K3v',
      fault: 'our address is removed',
      expected: 'It comes back.',
      bar: QUICKLY,
      remark: 'with the last address of a device the kernel drops its routes.',
    },
    () => 'ip -4 address flush dev flannel.1',
  ),
  byHand(
    'vxlan',
    { id: 'K7v', fault: 'the MTU is changed', expected: 'It is set back.', bar: { healedMs: 100, lost: 0 } },
    () => 'ip link set flannel.1 mtu 1400',
  ),
  byHand(
    'vxlan',
    {
      id: 'K8',
      fault: "a peer's forwarding entry is removed",
      expected: 'It is made again.',
      bar: { healedMs: 250, lost: 250 },
    },
    ({ mac }) => `bridge fdb delete ${mac} dev flannel.1`,
  ),
  byHand(
    'vxlan',
    {
      id: 'K8n',
      fault: "a peer's neighbour entry is removed",
      expected: 'It is made again.',
      bar: { healedMs: 250, lost: 250 },
    },
    ({ gateway }) => `ip neigh delete ${gateway} dev flannel.1`,
  ),
];

function routeRows(stage: 'vxlan' | 'host-gw', letter: string): readonly Row[] {
  return [
    byHand(
      stage,
      { id: `K4${letter}`, fault: "a peer's route is deleted", expected: 'It is made again.', bar: QUICKLY },
      ({ subnet }) => `ip route delete ${subnet}`,
    ),
    {
      id: `K5${letter}`,
      fault: `${stage}: somebody else's route takes the place of a peer's`,
      expected: 'It is never touched; `status` calls it a conflict. When it goes, ours comes back.',
      bar: { healedMs: 100 },
      stage,
      counts: OFTEN,
      inject: foreignRoute,
    },
    {
      id: `K6${letter}`,
      fault: `${stage}: somebody else leads a part of the network elsewhere, by a more specific route`,
      expected: 'It is told in `status`, with where it leads, and never touched.',
      bar: { healedMs: 1_000 },
      stage,
      counts: OFTEN,
      inject: ({ first }) => intruder(first),
    },
    {
      id: `K14${letter}`,
      fault: `${stage}: an earlier daemon was killed and has left objects of a peer that is gone`,
      expected:
        'What is as wanted is adopted, and carries packets all the time; the rest goes. The time is from the start.',
      bar: { healedMs: 5_000, lost: 0 },
      stage,
      counts: { test: 1, standard: 10, full: 50 },
      inject: (scene) => leftovers(scene, LEFT[stage]),
    },
  ];
}

async function foreignRoute(scene: Scene) {
  const { first } = scene;
  const before = await first.picture();
  const { subnet } = await peerOf(scene);
  const start = performance.now();
  await first.shell.run(`ip route replace ${subnet} dev lo proto static`);
  const reportedMs = await first.until(
    'the conflict is told',
    start,
    async () => {
      const { objects, ready } = await first.status();
      const state = objects.find(({ key }) => key === `route:${subnet}`)?.state;
      assert.deepEqual([ready, state], [false, 'conflict']);
    },
    ASK_EVERY_MS,
  );
  assert.match(await first.shell.run(`ip route show ${subnet}`), /dev lo proto static/);
  const removed = performance.now();
  await first.shell.run(`ip route delete ${subnet} dev lo proto static`);
  const healedMs = await first.until('our route is back', removed, async () =>
    assert.equal(await first.picture(), before),
  );
  return { healedMs: Math.max(reportedMs, healedMs) };
}

const GONE = '4.0.200.0';
const LEFT = {
  vxlan: `
ip route add ${GONE}/24 via ${GONE} dev flannel.1 onlink proto 77
ip neigh add ${GONE} lladdr 02:00:00:00:00:07 dev flannel.1 nud permanent
bridge fdb add 02:00:00:00:00:07 dev flannel.1 dst 10.8.65.99`,
  'host-gw': `
ip tuntap add flannel0 mode tun
ip link set flannel0 alias "flannelette flannel0" up
ip route add ${GONE}/24 via 10.8.65.98 dev eth0 proto 77`,
} as const;

async function leftovers({ first }: Scene, script: string) {
  const { shell, host } = first;
  const [wanted, world] = [await first.picture(), await worldOf(host)];
  first.daemon.signal('SIGKILL');
  await first.daemon.exited;
  await shell.run(script);
  assert.notEqual(await first.picture(), wanted);
  const start = performance.now();
  await first.restart();
  const healedMs = await first.until('all is as wanted', start, async () =>
    assert.deepEqual(worldDifference(wanted, await first.picture()), []),
  );
  assert.deepEqual(worldDifference(world, await worldOf(host)), []);
  return { healedMs };
}

export const KERNEL_BACKEND_ROWS: readonly Row[] = [
  ...DEVICE_ROWS,
  ...routeRows('vxlan', 'v'),
  ...routeRows('host-gw', 'h'),
];
