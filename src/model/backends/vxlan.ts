/**
 * flannel's vxlan backend: the kernel wraps every packet to another host's containers in VXLAN. The peers are written
 * down for it, so that it never asks who is where: a route by way of the peer's first address, a neighbour that gives
 * this address a MAC, a forwarding entry that gives the MAC a host.
 */
import { type Address, baseOf, FAMILY_BITS, type Family, type Prefix } from '../address.js';
import type { Desired } from '../diff.js';
import { isOnLink } from '../host.js';
import { addressKey, fdbKey, linkKey, neighbourKey, routeKey, sysctlKey } from '../keys.js';
import type { Lease } from '../lease.js';
import { byAge } from '../lease-overlaps.js';
import { linkAlias } from '../mark.js';
import type { FdbState, NeighbourState, RouteState } from '../objects.js';
import type { ResourceKey } from '../plan.js';
import {
  type Backend,
  type BackendInput,
  type BackendObjects,
  type BackendPlan,
  type FamilyPart,
  type FamilyPeer,
  familyParts,
  ignoredPeers,
  joined,
  ofPeers,
} from './backend.js';
import type { Options, ValuesOf } from './options.js';
import { directRoute, peerRoute } from './peer-route.js';
import { macIn, vtepMac, vxlanData } from './vtep.js';

const TYPE = 'vxlan';

/** Inner Ethernet 14, VXLAN 8, UDP 8, and the outer IP header without options. */
const ENCAPSULATION_BYTES = { ipv4: 50, ipv6: 70 } as const;

const OPTIONS = {
  vni: {
    kind: 'integer',
    json: 'VNI',
    example: '42',
    least: 0,
    most: 0xff_ffff,
    default: 1,
    about: 'Number of the virtual network; the device is named after it, flannel.1.',
  },
  port: {
    kind: 'integer',
    json: 'Port',
    example: '4789',
    least: 1,
    most: 65_535,
    default: 8472,
    zeroIsDefault: true,
    about: 'UDP port, the same on every host.',
  },
  mtu: {
    kind: 'integer',
    json: 'MTU',
    example: '9000',
    least: 576,
    most: 65_535,
    zeroIsDefault: true,
    about: "Bytes of the largest packet between the hosts. Default: the external interface's MTU.",
  },
  gbp: {
    kind: 'flag',
    json: 'GBP',
    example: 'true',
    default: false,
    about: "Group Based Policy: a packet's firewall mark travels along.",
  },
  learning: {
    kind: 'flag',
    json: 'Learning',
    example: 'true',
    default: false,
    about: 'Whether the device also learns from what comes in which host a MAC is behind.',
  },
  directRouting: {
    kind: 'flag',
    json: 'DirectRouting',
    example: 'true',
    default: false,
    about: 'Whether hosts on one link send to each other unwrapped, as host-gw does.',
  },
  txChecksumOffload: {
    kind: 'choice',
    json: 'TxChecksumOffload',
    of: ['auto', 'on', 'off'],
    example: 'off',
    default: 'auto',
    about:
      'Whether the hardware may make the checksums of what is wrapped. off is for drivers that make wrong ones, where pings pass and TCP hangs; auto leaves the device as it is.',
  },
} as const satisfies Options;

type Input = BackendInput<ValuesOf<typeof OPTIONS>>;

export const vxlan: Backend<typeof OPTIONS> = { type: TYPE, options: OPTIONS, plan };

function plan(input: Input): BackendPlan {
  const parts = familyParts(TYPE, input).map((part) => ({ part, ...familyPlan(input, part) }));
  const dataOf = (family: FamilyPart['family']) => parts.find(({ part }) => part.family === family)?.data;
  const [backendData, backendV6Data] = [dataOf('ipv4'), dataOf('ipv6')];
  const devices = parts.map(({ device }) => device);
  const { external } = input.host;
  return {
    mtu: Math.min(...parts.map(({ mtu }) => mtu)),
    lease: {
      backendType: TYPE,
      ...(backendData && { backendData }),
      ...(backendV6Data && { backendV6Data }),
    },
    devices,
    entrances: input.options.directRouting ? [...devices, external.name] : devices,
    ignored: parts.flatMap(({ ignored }) => ignored),
    objects: joined(parts.map(({ objects }) => objects)),
  };
}

/** One family on one device of its own: outer and inner packets are of the same family. */
function familyPlan(input: Input, part: FamilyPart) {
  const { options, host, ownLease, requires } = input;
  const { family, subnet, publicIp, interfaceAddress } = part;
  const device = family === 'ipv4' ? `flannel.${options.vni}` : `flannel-v6.${options.vni}`;
  const largest = (options.mtu ?? host.external.mtu) - ENCAPSULATION_BYTES[family];
  const mtu = input.mtu === 'auto' ? largest : input.mtu;
  // The other hosts have written down what the lease says: kept, they need not change anything.
  const mac = publishedMac(ownLease, family) ?? vtepMac(publicIp);
  const link = linkKey(device);
  // The lease too: a device that is there from before must not be given a subnet that is not ours.
  const onLink = [link, ...requires];
  const acceptRa = `net.ipv6.conf.${device.replaceAll('.', '/')}.accept_ra`;
  const [address, length] = [baseOf(subnet), FAMILY_BITS[family]];
  const peers = peersOf(input, family, device, mac, onLink);

  const objects: BackendObjects = {
    link: [
      {
        key: link,
        state: {
          name: device,
          kind: 'vxlan',
          mtu,
          up: true,
          alias: linkAlias(input.instance),
          vxlan: {
            vni: options.vni,
            port: options.port,
            // flannel takes the public address. Behind a NAT the kernel would refuse to send from that.
            local: interfaceAddress,
            underlay: host.external.name,
            learning: options.learning,
            gbp: options.gbp,
            mac,
            ...(options.txChecksumOffload !== 'auto' && {
              txChecksumOffload: options.txChecksumOffload === 'on',
            }),
          },
        },
        requires,
      },
    ],
    // What another host says on the device must not make routes here.
    sysctl: [
      {
        key: sysctlKey(acceptRa),
        state: { name: acceptRa, value: '0', optional: true },
        requires: onLink,
      },
    ],
    // A /32: the source address of the host's own traffic, and no broadcast route.
    address: [
      {
        key: addressKey(device, address, length),
        state: { link: device, address, length },
        requires: onLink,
      },
    ],
    ...peers.objects,
  };
  const data = vxlanData(options.vni, mac);
  return { device, mtu, data, objects, ignored: peers.ignored };
}

/**
 * For each peer a forwarding entry, a neighbour and a route, each of which needs the one before it: so the kernel never
 * has to ask who is where, and a peer with another MAC is known by that before it is sent to.
 */
function peersOf(
  input: Input,
  family: Family,
  device: string,
  own: string,
  requires: readonly ResourceKey[],
) {
  const { options, host } = input;
  const backend = { type: TYPE, published: TYPE };
  const { directRouting } = options;
  const holders = holdersOfMacs(input, family);
  const reach = directRouting ? host.reach : [];
  const context = { device, external: host.external.name, own, requires, directRouting, reach, holders };
  const list = (name: string) => ({ name, family, backend, context });
  const isDirect = ({ publicIp }: FamilyPeer) => directRouting && isOnLink(host, publicIp);
  const whyNot = (peer: FamilyPeer) =>
    isDirect(peer) ? undefined : macMisfit(peer, macIn(peer.data), own, holders);
  const wrapped =
    <State>(make: (peer: WrappedPeer) => Desired<State>) =>
    (peer: FamilyPeer) => {
      const mac = macIn(peer.data);
      if (mac === undefined || isDirect(peer) || whyNot(peer) !== undefined) return undefined;
      return make({ ...peer, mac, address: baseOf(peer.subnet) });
    };

  const fdb = ofPeers(
    input,
    list('fdb'),
    wrapped<FdbState>(({ mac, publicIp }) => ({
      key: fdbKey(device, mac),
      state: { link: device, mac, destination: publicIp },
      requires,
    })),
  );
  const neighbour = ofPeers(
    input,
    list('neighbours'),
    wrapped<NeighbourState>(({ mac, address }) => ({
      key: neighbourKey(device, address),
      state: { link: device, address, mac },
      requires: [fdbKey(device, mac), ...requires],
    })),
  );
  const tunnelRoute = wrapped<RouteState>(({ subnet, address }) => {
    const state = peerRoute(subnet, { via: address, link: device, onlink: true });
    return { key: routeKey(state), state, requires: [neighbourKey(device, address), ...requires] };
  });
  const route = ofPeers(input, list('routes'), (peer) =>
    isDirect(peer) ? directRoute(host, peer, input.requires) : tunnelRoute(peer),
  );
  return {
    objects: { fdb, neighbour, route } satisfies BackendObjects,
    ignored: ignoredPeers(input, list('ignored'), whyNot),
  };
}

interface WrappedPeer extends FamilyPeer {
  readonly mac: string;
  /** What the route leads by way of: no host has it but on its own device. */
  readonly address: Address;
}

/** A MAC has room for one host. */
function macMisfit(
  { subnet }: FamilyPeer,
  mac: string | undefined,
  own: string,
  holders: Readonly<Record<string, Prefix>>,
): string | undefined {
  if (mac === undefined) return 'it has no VtepMAC of one host';
  if (mac === own) return `its VtepMAC ${mac} is this host's too`;
  const holder = holders[mac];
  return holder === undefined || holder === subnet
    ? undefined
    : `its VtepMAC ${mac} is that of ${holder} too`;
}

/** Of the MACs that several hosts publish, who is taken for its holder: the oldest lease, as every host sees it. */
function holdersOfMacs({ leases }: Input, family: Family): Readonly<Record<string, Prefix>> {
  const holders = new Map<string, { readonly lease: Lease; readonly subnet: Prefix }>();
  const contested: Record<string, Prefix> = {};
  for (const lease of leases) {
    const subnet = lease.subnets[family];
    const mac = publishedMac(lease, family);
    if (subnet === undefined || mac === undefined) continue;
    const other = holders.get(mac);
    const holder = other === undefined || byAge(lease, other.lease) < 0 ? { lease, subnet } : other;
    holders.set(mac, holder);
    if (other !== undefined) contested[mac] = holder.subnet;
  }
  return contested;
}

/** The MAC that a host has in a lease of this backend. */
function publishedMac(lease: Lease | undefined, family: Family): string | undefined {
  if (lease?.attributes.backendType !== TYPE) return undefined;
  return macIn(family === 'ipv4' ? lease.attributes.backendData : lease.attributes.backendV6Data);
}
