/**
 * One way between two containers, each on a host of its own, over an underlay of its own:
 *
 *   container a 10.1.40.2                                     container b 10.1.63.2
 *        │                                                         │
 *     docker0 10.1.40.1/24                                      docker0 10.1.63.1/24
 *   host a: eth0 198.18.0.11 ────────── underlay ────────── eth0 198.18.0.12 :host b
 *
 * What lies between docker0 and eth0 makes the difference. Whoever does not measure leaves the others alone: all
 * ways are there all the time, and one is used.
 */
import assert from 'node:assert/strict';
import { Container } from '../test/lab/docker-bridge.js';
import { eventually } from '../test/lab/eventually.js';
import { programsAt } from '../test/lab/fast-path.js';
import type { Host } from '../test/lab/host.js';
import { Underlay } from '../test/lab/underlay.js';
import { startDaemon, type TracedDaemon } from './daemon.js';
import { startOneByOne } from './one-by-one.js';
import type { PathName, UnderlayName } from './results.js';
import { A, B, type Site } from './site.js';

const FAST_PATH_MS = 30_000;
const UNDERLAY_MTU = 1500;
const VXLAN_BYTES = 50; // Ethernet 14, IPv4 20, UDP 8, VXLAN 8
const UDP_BYTES = 28; // IPv4 20, UDP 8
const MTUS: Readonly<Record<PathName, number>> = {
  routing: UNDERLAY_MTU,
  vxlan: UNDERLAY_MTU - VXLAN_BYTES,
  auto: UNDERLAY_MTU - UDP_BYTES,
  loop: UNDERLAY_MTU - UDP_BYTES,
  single: UNDERLAY_MTU - UDP_BYTES,
  c: UNDERLAY_MTU - UDP_BYTES,
};

export class Path {
  private constructor(
    readonly name: PathName,
    readonly underlay: Underlay,
    readonly hosts: readonly Host[],
    readonly sender: Container,
    readonly receiver: Container,
    /** Of flannelette; none where something else does it. */
    readonly daemons: readonly TracedDaemon[],
  ) {}

  /** `workers` is how many threads a daemon of it has. */
  static async start(name: PathName, workers = 1): Promise<Path> {
    const underlay = await Underlay.start({ gateway: '198.18.0.1/24', mtu: UNDERLAY_MTU });
    try {
      const [a, b] = [await underlay.addHost('a', A.publicIp), await underlay.addHost('b', B.publicIp)];
      const daemons = [await connect(name, a, A, B, workers), await connect(name, b, B, A, workers)];
      const path = new Path(
        name,
        underlay,
        [a, b],
        await addContainer(a, A, MTUS[name]),
        await addContainer(b, B, MTUS[name]),
        daemons.filter((daemon) => daemon !== undefined),
      );
      // One after the other: looking into a host moves the thread there.
      if (name === 'auto') for (const host of path.hosts) await untilItHasAFastPath(host);
      return path;
    } catch (error) {
      await underlay.close().catch(() => {});
      throw error;
    }
  }

  /** Lets the hosts' cards take super-packets of UDP, or not. */
  async use(underlay: UnderlayName): Promise<void> {
    const features = ['tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'];
    const state = underlay === 'segmenting' ? 'on' : 'off';
    const argv = ['ethtool', '-K', 'eth0', ...features.flatMap((feature) => [feature, state])];
    for (const host of this.hosts) await host.output(argv);
  }

  close(): Promise<void> {
    return this.underlay.close();
  }
}

async function connect(
  name: PathName,
  host: Host,
  own: Site,
  other: Site,
  workers: number,
): Promise<TracedDaemon | undefined> {
  switch (name) {
    case 'routing':
      await host.script(`ip route add ${other.subnet}.0/24 via ${other.publicIp}`);
      return;
    case 'vxlan':
      await host.script(vxlan(own, other));
      return;
    case 'c':
      await startOneByOne(host, own, other);
      return;
    case 'auto':
    case 'loop':
    case 'single':
      return startDaemon(host, own, [A, B], {
        offload: name !== 'single',
        fastPath: name === 'auto' ? 'auto' : false,
        workers,
      });
  }
}

/** It takes one once the host forwards packets, which it does when there is a container. */
function untilItHasAFastPath(host: Host): Promise<void> {
  return eventually('a fast path', FAST_PATH_MS, async () =>
    assert.equal(await programsAt(host, 'eth0', 'ingress'), 1),
  );
}

/** As flannel's vxlan backend sets it up: addresses by hand, nothing learned, a gateway inside the tunnel. */
function vxlan(own: Site, other: Site): string {
  const link = 'flannel.1';
  return `
ip link add ${link} address ${hardwareAddress(own)} type vxlan id 1 dev eth0 local ${own.publicIp} dstport 8472 nolearning
ip address add ${own.subnet}.0/32 dev ${link}
ip link set ${link} up
ip neighbour add ${other.subnet}.0 lladdr ${hardwareAddress(other)} dev ${link} nud permanent
bridge fdb add ${hardwareAddress(other)} dev ${link} dst ${other.publicIp}
ip route add ${other.subnet}.0/24 via ${other.subnet}.0 dev ${link} onlink`;
}

function hardwareAddress({ publicIp }: Site): string {
  return `02:00:00:00:00:${publicIp.split('.')[3]}`;
}

async function addContainer(host: Host, { name, subnet }: Site, mtu: number): Promise<Container> {
  const container = host.own(await Container.start(host, `container-${name}`, `${subnet}.2`));
  await host.script(`
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link add docker0 type bridge
ip link set docker0 mtu ${mtu} up
ip address add ${subnet}.1/24 dev docker0
ip link add veth2 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${container.pid}
ip link set veth2 master docker0 up`);
  await container.script(`
ip address add ${container.address}/24 dev eth0
ip link set eth0 up
ip route add default via ${subnet}.1`);
  return container;
}
