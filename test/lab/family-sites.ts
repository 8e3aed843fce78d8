/**
 * Hosts on an underlay of both families, each with the bridge and one container that its subnet.env asks for:
 *
 *      gateway 10.8.0.1, 2001:db8:8::ffff
 *    ┌──────────── underlay ────────────┐
 *  10.8.65.1                        10.8.65.2
 *  2001:db8:8::1                    2001:db8:8::2 ...
 *  host1 ─ docker0 ─ container      host2 ─ docker0 ─ container
 */
import { addressAt, FAMILIES, type Family, lengthOf, type Prefix } from '../../src/model/address.js';
import { parseSubnetEnv } from '../../src/model/env-files.js';
import { type Cluster, type Member, memberAt, onCluster } from './cluster.js';
import { Container } from './docker-bridge.js';
import type { LongProcess } from './process.js';

export const GATEWAYS = { ipv4: '10.8.0.1', ipv6: '2001:db8:8::ffff' } as const satisfies Record<
  Family,
  string
>;

export interface FamilySite {
  readonly member: Member;
  readonly daemon: LongProcess;
  /** The host's public ones. */
  readonly publicIps: Readonly<Record<Family, string>>;
  readonly subnets: { readonly [F in Family]?: Prefix };
  readonly container: Container;
  /** The container's own, in each family of the network. */
  readonly addresses: { readonly [F in Family]?: string };
  /** Bytes: what FLANNEL_MTU says. */
  readonly mtu: number;
}

/** `start` begins the host at that index. */
export function onFamilyCluster<T>(
  { hosts, config }: { readonly hosts: number; readonly config: string },
  body: (start: (index: number) => Promise<FamilySite>, cluster: Cluster) => Promise<T>,
): Promise<T> {
  return onCluster({ hosts, config }, async (cluster) => {
    await cluster.underlay.script(`ip address add ${GATEWAYS.ipv6}/64 dev underlay nodad`);
    return body((index) => startSite(memberAt(cluster, index), index), cluster);
  });
}

async function startSite(member: Member, index: number): Promise<FamilySite> {
  const { host } = member;
  const publicIps = { ipv4: member.address, ipv6: `2001:db8:8::${index + 1}` };
  await host.script(`
ip address add ${publicIps.ipv6}/64 dev eth0 nodad
ip route add default via ${GATEWAYS.ipv6}
iptables -w 5 -P FORWARD DROP
ip6tables -w 5 -P FORWARD DROP`);
  const daemon = await member.run();
  const { subnets, mtu = 0 } = parseSubnetEnv(await host.readFile('/run/flannel/subnet.env'));
  const families = FAMILIES.flatMap((family) => {
    const subnet = subnets[family];
    return subnet === undefined ? [] : [{ family, subnet }];
  });
  const addresses = Object.fromEntries(families.map(({ family, subnet }) => [family, addressAt(subnet, 3)]));
  const container = host.own(await Container.start(host, 'c', addresses.ipv4 ?? addresses.ipv6 ?? ''));
  const onBridge = families.map(({ subnet }) => addTo('docker0', subnet, 1));
  const inContainer = families.flatMap(({ subnet }) => [
    addTo('eth0', subnet, 3),
    `ip route add default via ${addressAt(subnet, 1)}`,
  ]);
  await host.script(`
ip link add docker0 type bridge
ip link set docker0 mtu ${mtu} up
${onBridge.join('\n')}
ip link add veth3 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${container.pid}
ip link set veth3 master docker0 up`);
  await container.script(`ip link set eth0 up\n${inContainer.join('\n')}`);
  return { member, daemon, publicIps, subnets, container, addresses, mtu };
}

/** Without asking first whether it is free, which takes a second of IPv6. */
function addTo(device: string, subnet: Prefix, number: number): string {
  const address = `${addressAt(subnet, number)}/${lengthOf(subnet)}`;
  return `ip address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`;
}
