/**
 * flannel's classic udp backend: every packet to another host's container goes through one TUN device to a
 * packet loop in user space, and from there in a bare UDP datagram to that host.
 */
import { baseOf } from '../address.js';
import type { DataplaneSection, FastPathWish } from '../config.js';
import type { Desired } from '../diff.js';
import { addressKey, forwarderKey, linkKey, MAIN_TABLE, peerKey, routeKey, sysctlKey } from '../keys.js';
import { linkAlias } from '../mark.js';
import type { PeerState, RouteState } from '../objects.js';
import {
  type Backend,
  BackendError,
  type BackendInput,
  type BackendPlan,
  familyPart,
  ignoredPeers,
  ofPeers,
} from './backend.js';
import type { Options, ValuesOf } from './options.js';

/** What pays on every host that was measured (docs/decisions): a second thread takes its time from the containers. */
const AUTO_WORKERS = 1;
const ENCAPSULATION_BYTES = 28; // IPv4 20 + UDP 8, no options

/** Empty: flannel writes no type for udp. */
const PUBLISHED = '';

const OPTIONS = {
  port: {
    kind: 'integer',
    json: 'Port',
    example: '8285',
    least: 1,
    most: 65_535,
    default: 8285,
    about: 'UDP port, the same on every host.',
  },
} as const satisfies Options;

/** The packet loop reads IPv4 headers, and flanneld's udp sends nothing else. */
export const udp: Backend<typeof OPTIONS> = { type: 'udp', ipv4Only: true, options: OPTIONS, plan };

/** Who wants to find out whether an offload is to blame wants every packet to come to the loop. */
const fastPathOf = ({ offload, fastPath }: DataplaneSection): FastPathWish =>
  fastPath === 'auto' && !offload ? false : fastPath;

function plan(input: BackendInput<ValuesOf<typeof OPTIONS>>): BackendPlan {
  const { options, host, instance, dataplane, requires } = input;
  const part = familyPart('udp', input, 'ipv4');
  if (part === undefined) {
    throw new BackendError('Cannot run backend udp: it carries IPv4 only, and the network has no IPv4 part');
  }
  const { subnet, publicIp, interfaceAddress: bindAddress } = part;

  const mtu = input.mtu === 'auto' ? host.external.mtu - ENCAPSULATION_BYTES : input.mtu;
  const workers = dataplane.workers === 'auto' ? AUTO_WORKERS : dataplane.workers;
  const link = linkKey(instance);
  // The lease too: a device that is there from before must not be given a subnet that is not ours.
  const onLink = [link, ...requires];
  // A /32, as flannel's since v0.11: the source address of the host's own traffic, and no broadcast route.
  const [tunAddress, tunAddressLength] = [baseOf(subnet), 32];
  const route: RouteState = {
    destination: part.network.cidr,
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
  const { port } = options;
  const backend = { type: 'udp', published: PUBLISHED };
  const peerRequires = [forwarder, ...requires];
  const peers = ofPeers(
    input,
    { name: 'rows', family: 'ipv4', backend, context: { port, peerRequires } },
    (peer): Desired<PeerState> => ({
      key: peerKey(peer.subnet),
      state: { subnet: peer.subnet, publicIp: peer.publicIp, port },
      requires: peerRequires,
    }),
  );

  return {
    mtu,
    lease: { backendType: PUBLISHED },
    devices: [instance],
    entrances: [instance],
    ignored: ignoredPeers(input, { name: 'ignored', family: 'ipv4', backend, context: undefined }),
    objects: {
      link: [
        {
          key: link,
          state: {
            name: instance,
            kind: 'tun',
            mtu,
            up: true,
            alias: linkAlias(instance),
            multiQueue: workers > 1,
          },
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
            workers,
            mtu,
            tunAddress,
            subnet,
            publicIp,
            bind: { address: bindAddress, port },
            sourceCheck: dataplane.sourceCheck,
            offload: dataplane.offload,
            fastPath: fastPathOf(dataplane),
          },
          requires: onLink,
        },
      ],
      peer: peers,
    },
  };
}
