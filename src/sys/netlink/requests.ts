/** What we ask of the kernel, as rtnetlink messages. Links go by number here: the caller resolves names. */
import {
  formatAddressMessage,
  formatLinkMessage,
  formatRouteMessage,
  MessageType,
  type RouteAttrs,
} from 'netlink/dist/rt/structs.js';
import { AttrStream, putU16, putU32 } from 'netlink/dist/structs.js';
import { type Address, baseOf, type Family, familyOf, lengthOf } from '../../model/address.js';
import type { NetlinkRequest, NetlinkRouteSpec } from '../../ports.js';
import { addressBytes, FAMILY_NUMBER, macBytes } from './address-bytes.js';
import type { Message } from './channel.js';
import { changeFdb, changeNeighbour } from './neighbour-messages.js';
import { addVxlan } from './vxlan-messages.js';

type SetLink = Extract<NetlinkRequest, { op: 'set-link' }>;
type ChangeAddress = Extract<NetlinkRequest, { op: 'add-address' | 'delete-address' }>;

const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RT_TABLE_COMPAT = 252; // in the header of a route whose table does not fit into its 8 bits
const RTNH_F_ONLINK = 4; // one of the next hop's flags, which share rtm_flags with the route's own
const RTA_VIA = 18;
const SKIP_STATISTICS = { extMask: putU32(8) }; // RTEXT_FILTER_SKIP_STATS

const SCOPE = {
  global: 'UNIVERSE',
  site: 'SITE',
  link: 'LINK',
  host: 'HOST',
  nowhere: 'NOWHERE',
} as const satisfies Record<NetlinkRouteSpec['scope'], string>;

/** The links that `request` names and whose numbers its message needs. */
export function linkNamed(request: NetlinkRequest): string | undefined {
  switch (request.op) {
    case 'set-link':
    case 'delete-link':
      return request.name;
    case 'add-vxlan':
      return request.vxlan.underlay;
    case 'add-address':
    case 'delete-address':
    case 'replace-neighbour':
    case 'delete-neighbour':
    case 'replace-fdb':
    case 'delete-fdb':
      return request.link;
    case 'add-route':
    case 'replace-route':
    case 'delete-route':
      return request.route.link;
    default:
      return request satisfies never;
  }
}

/** `link` is the number of `linkNamed(request)`, 0 when that names none. */
export function requestMessage(request: NetlinkRequest, link: number): Message {
  switch (request.op) {
    case 'set-link':
      return setLink(request, link);
    case 'add-vxlan':
      return addVxlan(request, link);
    case 'delete-link':
      return linkMessage(MessageType.DELLINK, { index: link });
    case 'replace-neighbour':
    case 'delete-neighbour':
      return changeNeighbour(request, link);
    case 'replace-fdb':
    case 'delete-fdb':
      return changeFdb(request, link);
    case 'add-address':
      return changeAddress(MessageType.NEWADDR, NLM_F_CREATE | NLM_F_EXCL, request, link);
    case 'delete-address':
      return changeAddress(MessageType.DELADDR, 0, request, link);
    case 'add-route':
      return writeRoute(request.route, link, NLM_F_CREATE | NLM_F_EXCL);
    case 'replace-route':
      return writeRoute(request.route, link, NLM_F_CREATE | NLM_F_REPLACE);
    case 'delete-route':
      return deleteRoute(request.route, link);
    default:
      return request satisfies never;
  }
}

/** Asks for one link; ENODEV when there is none of that name. */
export function linkByName(name: string): Message {
  return linkMessage(MessageType.GETLINK, {}, { ifname: name, ...SKIP_STATISTICS });
}

/** Asks for one link; ENODEV when there is none of that number. */
export function linkByNumber(index: number): Message {
  return linkMessage(MessageType.GETLINK, { index }, SKIP_STATISTICS);
}

export function allLinks(): Message {
  return linkMessage(MessageType.GETLINK, {}, SKIP_STATISTICS);
}

/** Of every family that the kernel has, more than we know. */
export function allAddresses(): Message {
  const out = new AttrStream();
  formatAddressMessage({ kind: 'address', data: {}, attrs: {} }, out);
  return { type: MessageType.GETADDR, flags: 0, body: out.bufs };
}

/** A missing filter field means all. */
export function allRoutes(
  family: Family,
  filter: { readonly table?: number; readonly protocol?: number },
): Message {
  const { table, protocol } = filter;
  const data = { family: FAMILY_NUMBER[family], ...(protocol === undefined ? {} : { protocol }) };
  return routeMessage(MessageType.GETROUTE, 0, data, table === undefined ? {} : { table });
}

/** Asks for the route that the kernel would choose. */
export function routeTo(destination: Address): Message {
  const dst = addressBytes(destination);
  const data = { family: FAMILY_NUMBER[familyOf(destination)], dstLen: dst.length * 8 };
  return routeMessage(MessageType.GETROUTE, 0, data, { dst });
}

function setLink({ mtu, up, alias, mac }: SetLink, index: number): Message {
  return linkMessage(
    MessageType.SETLINK,
    { index, ...(up === undefined ? {} : { flags: up ? { up } : {}, change: { up: true } }) },
    {
      ...(mtu === undefined ? {} : { mtu }),
      ...(alias === undefined ? {} : { ifalias: alias }),
      ...(mac === undefined ? {} : { address: macBytes(mac) }),
    },
  );
}

function changeAddress(
  type: MessageType,
  messageFlags: number,
  request: ChangeAddress,
  index: number,
): Message {
  const { address, length } = request;
  const bytes = addressBytes(address);
  const out = new AttrStream();
  const family = FAMILY_NUMBER[familyOf(address)];
  // For IPv4, IFA_ADDRESS is the peer's address and equals our own where there is no peer (linux/if_addr.h). No
  // broadcast address and no label of its own: `inet 10.1.40.0/32 scope global flannel0`, as flannel writes it.
  // Whose it is the lease has settled: nobody on our devices could object, and asking takes a second.
  const flags = familyOf(address) === 'ipv6' ? { nodad: true as const } : {};
  formatAddressMessage(
    {
      kind: 'address',
      data: { family, prefixlen: length, index, flags },
      attrs: { local: bytes, address: bytes },
    },
    out,
  );
  return { type, flags: messageFlags, body: out.bufs };
}

function writeRoute(route: NetlinkRouteSpec, link: number, flags: number): Message {
  const { protocol, scope, onlink } = route;
  const data = {
    ...routeHeader(route),
    protocol,
    scope: SCOPE[scope],
    type: 'UNICAST' as const,
    ...(onlink ? { flags: { __unknown: RTNH_F_ONLINK } } : {}),
  };
  return routeMessage(MessageType.NEWROUTE, flags, data, routeAttributes(route, link), otherFamilyVia(route));
}

function deleteRoute(route: NetlinkRouteSpec, link: number): Message {
  // The kernel skips what carries another protocol. Scope NOWHERE matches every scope, as in ip(8).
  const data = {
    ...routeHeader(route),
    protocol: route.protocol,
    scope: SCOPE.nowhere,
    type: 'UNICAST' as const,
  };
  return routeMessage(MessageType.DELROUTE, 0, data, routeAttributes(route, link), otherFamilyVia(route));
}

function routeHeader({ destination, table, tos }: NetlinkRouteSpec): {
  family: number;
  dstLen: number;
  table: number;
  tos: number;
} {
  return {
    family: FAMILY_NUMBER[familyOf(destination)],
    dstLen: lengthOf(destination),
    table: table < 256 ? table : RT_TABLE_COMPAT,
    tos,
  };
}

function routeAttributes(
  { destination, table, metric, via, preferredSource }: NetlinkRouteSpec,
  link: number,
): RouteAttrs {
  return {
    dst: addressBytes(baseOf(destination)),
    table,
    ...(metric === 0 ? {} : { priority: metric }),
    ...(via === undefined || familyOf(via) !== familyOf(destination) ? {} : { gateway: addressBytes(via) }),
    ...(link === 0 ? {} : { oif: link }),
    ...(preferredSource === undefined ? {} : { prefsrc: addressBytes(preferredSource) }),
  };
}

/** An IPv4 route over an IPv6 gateway: in RTA_GATEWAY the kernel would take its first four bytes for an address. */
function otherFamilyVia({ destination, via }: NetlinkRouteSpec): Address | undefined {
  return via !== undefined && familyOf(via) !== familyOf(destination) ? via : undefined;
}

type LinkFields = Parameters<typeof formatLinkMessage>[0];
type RouteFields = Parameters<typeof formatRouteMessage>[0];

function linkMessage(type: MessageType, data: LinkFields['data'], attrs: LinkFields['attrs'] = {}): Message {
  const out = new AttrStream();
  formatLinkMessage({ kind: 'link', data, attrs }, out);
  return { type, flags: 0, body: out.bufs };
}

function routeMessage(
  type: MessageType,
  flags: number,
  data: RouteFields['data'],
  attrs: RouteFields['attrs'],
  via?: Address,
): Message {
  const out = new AttrStream();
  formatRouteMessage({ kind: 'route', data, attrs }, out);
  // struct rtvia; the codecs' own has room for one byte of the address.
  if (via !== undefined) out.push(RTA_VIA, [putU16(FAMILY_NUMBER[familyOf(via)]), addressBytes(via)]);
  return { type, flags, body: out.bufs };
}
