/**
 * flannel's classic udp backend: every packet to another host's container goes through one TUN device to a
 * packet loop in user space, and from there in a bare UDP datagram to that host.
 */
import { baseOf } from '../address.js';
import type { Desired } from '../diff.js';
import { addressKey, forwarderKey, linkKey, MAIN_TABLE, peerKey, routeKey, sysctlKey } from '../keys.js';
import type { Lease } from '../lease.js';
import type { PeerState, RouteState } from '../objects.js';
import type { ResourceKey } from '../plan.js';
import { type Backend, BackendError, type BackendInput, PeersMemory } from './backend.js';

const ENCAPSULATION_BYTES = 28; // IPv4 20 + UDP 8, no options

type UdpConfig = { readonly type: 'udp'; readonly port: number };

export const udp: Backend<UdpConfig> = (input) => {
  const { network, subnets, host, instance, dataplane, requires } = input;
  const subnet = subnets.ipv4;
  const { ipv4: bindAddress } = host.external;
  const publicIp = host.publicIps.ipv4;
  if (network.ipv4 === undefined || subnet === undefined) {
    throw new BackendError('Cannot run backend udp: it carries IPv4 only, and the network has no IPv4 part');
  }
  if (bindAddress === undefined || publicIp === undefined) {
    throw new BackendError(`Cannot run backend udp: interface ${host.external.name} has no IPv4 address`);
  }

  const mtu = input.mtu === 'auto' ? host.external.mtu - ENCAPSULATION_BYTES : input.mtu;
  const multiQueue = dataplane.workers > 1;
  const link = linkKey(instance);
  // The lease too: a device that is there from before must not be given a subnet that is not ours.
  const onLink = [link, ...requires];
  // A /32, as flannel's since v0.11: the source address of the host's own traffic, and no broadcast route.
  const [tunAddress, tunAddressLength] = [baseOf(subnet), 32];
  const route: RouteState = {
    destination: network.ipv4.cidr,
    table: MAIN_TABLE,
    tos: 0,
    metric: 0,
    link: instance,
    onlink: false,
    type: 'unicast',
    scope: 'global',
  };
  const forwarder = forwarderKey(instance);
  const acceptLocal = `net.ipv4.conf.${instance.replaceAll('.', '/')}.accept_local`;
  const { peers, ignored } = peersOf(input, [forwarder, ...requires]);

  return {
    mtu,
    lease: { backendType: '' },
    devices: [instance],
    ignored,
    objects: {
      link: [
        {
          key: link,
          state: { name: instance, kind: 'tun', mtu, up: true, alias: linkAlias(instance), multiQueue },
          requires,
        },
      ],
      // Our ICMP errors enter through the TUN with our own address as source: without this a martian.
      sysctl: [{ key: sysctlKey(acceptLocal), state: { name: acceptLocal, value: '1' }, requires: onLink }],
      address: [
        {
          key: addressKey(instance, tunAddress, tunAddressLength),
          state: { link: instance, address: tunAddress, length: tunAddressLength },
          requires: onLink,
        },
      ],
      // The whole network in one route: Docker's more specific connected route wins for our own subnet.
      route: [{ key: routeKey(route), state: route, requires: onLink }],
      forwarder: [
        {
          key: forwarder,
          state: {
            tun: instance,
            multiQueue,
            mtu,
            tunAddress,
            subnet,
            publicIp,
            bind: { address: bindAddress, port: network.backend.port },
            sourceCheck: dataplane.sourceCheck,
            offload: dataplane.offload,
          },
          requires: onLink,
        },
      ],
      peer: peers,
    },
  };
};

/** Our mark on a device: `ip link` shows it. */
export function linkAlias(instance: string): string {
  return `flannelette ${instance}`;
}

/** The other hosts' rows. flannel's udp takes every lease, whatever its backend type; sending to a vxlan host is useless. */
function peersOf(
  { leases, network, memory = new PeersMemory() }: BackendInput<UdpConfig>,
  requires: readonly ResourceKey[],
) {
  const { port } = network.backend;
  return {
    peers: memory.peers.listOf(leases, { port, requires }, (lease): Desired<PeerState> | undefined => {
      const [subnet, publicIp] = [lease.subnets.ipv4, lease.attributes.publicIps.ipv4];
      if (subnet === undefined || publicIp === undefined || whyIgnored(lease) !== undefined) return undefined;
      return { key: peerKey(subnet), state: { subnet, publicIp, port }, requires };
    }),
    ignored: memory.ignored.listOf(leases, undefined, (lease) => {
      const reason = whyIgnored(lease);
      return reason === undefined ? undefined : { subnet: lease.subnets.ipv4, reason };
    }),
  };
}

function whyIgnored({ subnets, attributes: { publicIps, backendType } }: Lease): string | undefined {
  if (backendType !== '') return `backend ${printable(backendType)}, ours is udp`;
  return subnets.ipv4 === undefined || publicIps.ipv4 === undefined ? 'no IPv4 part' : undefined;
}

/** Anybody may write to the store: no control character of it reaches a terminal. */
function printable(text: string): string {
  return text.replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
