/**
 * Two hosts with a container each, joined by nothing but their data planes:
 *
 *   container a 10.1.40.2                                      container b 10.1.63.2
 *        │                                                          │
 *     docker0 10.1.40.1/24                                       docker0 10.1.63.1/24
 *   host a: flannel0 10.1.40.0 ── data plane ═ UDP 8285 ═ data plane ── flannel0 10.1.63.0 :host b
 *     eth0 198.18.0.11 ───────────────── underlay ───────────────── eth0 198.18.0.12
 */
import {
  type Address,
  addressAt,
  baseOf,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../src/model/address.js';
import type { ForwarderState, PeerState } from '../../src/model/objects.js';
import { RemoteDataPlane } from './data-plane-remote.js';
import { Container } from './docker-bridge.js';
import type { Host } from './host.js';
import { onUnderlay, type Underlay } from './underlay.js';

export const MTU = 1472;
export const PORT = 8285;
const NETWORK = '10.1.0.0/16';

export interface Site {
  readonly host: Host;
  readonly container: Container;
  readonly dataPlane: RemoteDataPlane;
  readonly state: ForwarderState;
  /** How the other hosts know this one. */
  readonly peer: PeerState;
}

export interface Pair {
  readonly underlay: Underlay;
  readonly a: Site;
  readonly b: Site;
}

export interface PairOptions {
  readonly workers?: number;
  /** The names of the hosts that move each packet by itself. */
  readonly withoutOffload?: string;
  /** The names of the hosts with a fast path. */
  readonly withFastPath?: string;
}

/** Both configured and known to each other; everything is gone afterwards. */
export function withPair<T>(body: (pair: Pair) => Promise<T>, options: PairOptions = {}): Promise<T> {
  return onUnderlay(
    async (underlay) => {
      const sites: Site[] = [];
      try {
        for (const [name, subnet, publicIp] of [
          ['a', '10.1.40.0/24', '198.18.0.11'],
          ['b', '10.1.63.0/24', '198.18.0.12'],
        ] as const) {
          sites.push(await startSite(underlay, name, parsePrefix(subnet), parseAddress(publicIp), options));
        }
        const [a, b] = sites as [Site, Site];
        await Promise.all([a.dataPlane.configure(a.state), b.dataPlane.configure(b.state)]);
        await Promise.all([a.dataPlane.setPeers(b.peer), b.dataPlane.setPeers(a.peer)]);
        return await body({ underlay, a, b });
      } finally {
        await Promise.all(sites.map(({ dataPlane }) => dataPlane.close()));
        await Promise.all(sites.map(({ container }) => container.close()));
      }
    },
    { gateway: '198.18.0.1/24' },
  );
}

/** Makes, or makes anew, everything of flannel0 that the control plane would. */
export async function makeTun(host: Host, tunAddress: Address, multiQueue = false): Promise<void> {
  await host.script(`
ip tuntap add flannel0 mode tun ${multiQueue ? 'multi_queue' : ''}
ip address add ${tunAddress}/32 dev flannel0
ip link set flannel0 mtu ${MTU} up
echo 1 >/proc/sys/net/ipv4/conf/flannel0/accept_local
ip route add ${NETWORK} dev flannel0`);
}

async function startSite(
  underlay: Underlay,
  name: string,
  subnet: Prefix,
  publicIp: Address,
  { workers = 1, withoutOffload = '', withFastPath = '' }: PairOptions,
): Promise<Site> {
  const host = await underlay.addHost(name, publicIp);
  await makeTun(host, baseOf(subnet), workers > 1);
  const container = await Container.start(host, `container-${name}`, addressAt(subnet, 2));
  await host.script(`
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link add docker0 type bridge
ip link set docker0 mtu ${MTU} up
ip address add ${addressAt(subnet, 1)}/24 dev docker0
ip link add veth2 mtu ${MTU} type veth peer name eth0 mtu ${MTU} netns ${container.pid}
ip link set veth2 master docker0 up`);
  await container.script(`
ip address add ${container.address}/24 dev eth0
ip link set eth0 up
ip route add default via ${addressAt(subnet, 1)}`);
  return {
    host,
    container,
    dataPlane: new RemoteDataPlane(host),
    state: {
      tun: 'flannel0',
      workers,
      mtu: MTU,
      tunAddress: baseOf(subnet),
      subnet,
      publicIp,
      bind: { address: publicIp, port: PORT },
      sourceCheck: 'strict',
      offload: !withoutOffload.includes(name),
      fastPath: withFastPath.includes(name),
    },
    peer: { subnet, publicIp, port: PORT },
  };
}
