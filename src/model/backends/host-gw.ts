/** flannel's host-gw backend: a route to each host on the same link, by way of its address. Nothing is wrapped. */
import { isOnLink } from '../host.js';
import {
  type Backend,
  BackendError,
  type BackendInput,
  type BackendPlan,
  type FamilyPart,
  familyParts,
  ignoredPeers,
  joined,
  ofPeers,
} from './backend.js';
import { directRoute } from './peer-route.js';

const TYPE = 'host-gw';

export const hostGw = { type: TYPE, options: {}, plan } as const satisfies Backend;

function plan(input: BackendInput): BackendPlan {
  const { mtu, host } = input;
  const { external } = host;
  const parts = familyParts(TYPE, input).map((part) => familyPlan(input, part));
  return {
    mtu: mtu === 'auto' ? external.mtu : mtu,
    lease: { backendType: TYPE },
    devices: [],
    entrances: [external.name],
    ignored: parts.flatMap(({ ignored }) => ignored),
    objects: joined(parts.map(({ route }) => ({ route }))),
  };
}

function familyPlan(input: BackendInput, { family, publicIp, interfaceAddress }: FamilyPart) {
  const { host, requires } = input;
  if (publicIp !== interfaceAddress) {
    throw new BackendError(
      `Cannot run backend host-gw: the other hosts send to ${publicIp}, which is not the address of interface ${host.external.name} (${interfaceAddress}); a NAT cannot stand between hosts that route to each other: take host.publicIP away, or use vxlan or udp`,
    );
  }
  const backend = { type: TYPE, published: TYPE };
  const context = { reach: host.reach, link: host.external.name, requires };
  return {
    route: ofPeers(input, { name: 'routes', family, backend, context }, (peer) =>
      isOnLink(host, peer.publicIp) ? directRoute(host, peer, requires) : undefined,
    ),
    ignored: ignoredPeers(input, { name: 'ignored', family, backend, context }, (peer) =>
      isOnLink(host, peer.publicIp)
        ? undefined
        : `${peer.publicIp} is not on the link of interface ${host.external.name}, which host-gw needs`,
    ),
  };
}
