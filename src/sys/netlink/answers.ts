/**
 * What the kernel tells of links, addresses and routes, as values. Reads the attributes that we use and no others:
 * something odd in a foreign object (the codecs' whole-message parser throws at `via inet6`) must not blind us.
 */
import type { Buffer } from 'node:buffer';
import * as rt from 'netlink/dist/rt/structs.js';
import { type BaseObject, getObject, getString, getU8, getU32, putEnum } from 'netlink/dist/structs.js';
import { type Address, addressFromBits, type Family, prefixOf } from '../../model/address.js';
import type { NetlinkAddress, NetlinkLink, NetlinkRoute } from '../../ports.js';
import { addressFromBytes, FAMILY_NUMBER, familyOfNumber, macFromBytes } from './address-bytes.js';
import { parseVxlanData, type VxlanData } from './vxlan-messages.js';

/** Like `T`, with the link by number: the answers know no names. */
export type Numbered<T extends { readonly link?: string }> = Omit<T, 'link'> & { readonly link?: number };

/** Of IPv4 or IPv6; undefined for an address of another family. */
export function parseAddress(body: Buffer): Numbered<NetlinkAddress> | undefined {
  const header = rt.parseAddress(body.subarray(0, rt.__LENGTH_Address));
  if (familyOfNumber(header.family ?? 0) === undefined) return undefined;
  const attributes = getObject<AddressAttributes>(body.subarray(rt.__LENGTH_Address), ADDRESS_ATTRIBUTES);
  // With a peer, IFA_ADDRESS is the peer's and IFA_LOCAL ours; IPv6 without a peer has no IFA_LOCAL.
  const address = attributes.local ?? attributes.address;
  if (address === undefined) return undefined;
  const flags = attributes.flags ?? header.flags ?? {};
  return {
    link: header.index ?? 0,
    address: addressFromBytes(address),
    length: header.prefixlen ?? 0,
    scope: scopeOf(header.scope ?? 0),
    deprecated: flags.deprecated ?? false,
    permanent: flags.permanent ?? false,
    // One bit with two names: of IPv4 it tells the second address of a network.
    temporary: header.family === FAMILY_NUMBER.ipv6 && (flags.secondary ?? false),
    tentative: (flags.tentative ?? false) || (flags.dadfailed ?? false),
  };
}

/** A link as it is told of: the underlay of a VXLAN device by number. */
export type ToldLink = Omit<NetlinkLink, 'vxlan'> & {
  readonly vxlan?: { readonly data: VxlanData; readonly mac: string };
};

/** Undefined for a link that has no name, which the kernel never sends. */
export function parseLink(body: Buffer): ToldLink | undefined {
  const header = rt.parseLink(body.subarray(0, rt.__LENGTH_Link));
  const {
    name,
    alias,
    mtu,
    carrier,
    info,
    mac = '',
  } = getObject<LinkAttributes>(body.subarray(rt.__LENGTH_Link), LINK_ATTRIBUTES);
  if (name === undefined) return undefined;
  const { kind, data } = info === undefined ? {} : getObject<LinkInfo>(info, LINK_INFO);
  return {
    index: header.index ?? 0,
    name,
    mtu: mtu ?? 0,
    up: header.flags?.up ?? false,
    carrier: carrier ?? false,
    ...(kind === undefined ? {} : { kind }),
    ...(alias === undefined ? {} : { alias }),
    ...(kind === 'tun' && data !== undefined ? { tun: parseTun(data) } : {}),
    ...(kind === 'vxlan' && data !== undefined ? { vxlan: { data: parseVxlanData(data), mac } } : {}),
  };
}

/** Of IPv4 or IPv6; undefined for a route of another family. */
export function parseRoute(body: Buffer): Numbered<NetlinkRoute> | undefined {
  const header = rt.parseRoute(body.subarray(0, rt.__LENGTH_Route));
  const family = familyOfNumber(header.family ?? 0);
  if (family === undefined) return undefined;
  const attributes = getObject<RouteAttributes>(body.subarray(rt.__LENGTH_Route), ROUTE_ATTRIBUTES);
  const { destination = anyAddress(family), table, metric = 0, link, via, preferredSource } = attributes;
  return {
    destination: prefixOf(destination, header.dstLen ?? 0),
    table: table ?? header.table ?? 0,
    tos: header.tos ?? 0,
    metric,
    protocol: putEnum(rt.RouteProtocol, header.protocol ?? 0),
    scope: scopeOf(putEnum(rt.RouteScope, header.scope ?? 0)),
    type: ROUTE_TYPES[putEnum(rt.RouteType, header.type ?? 0)] ?? 'other',
    onlink: ((header.flags?.__unknown ?? 0) & RTNH_F_ONLINK) !== 0,
    multipath: attributes.multipath ?? false,
    ...(link === undefined ? {} : { link }),
    ...(via === undefined ? {} : { via }),
    ...(preferredSource === undefined ? {} : { preferredSource }),
  };
}

const RTNH_F_ONLINK = 4; // one of the next hop's flags, which share rtm_flags with the route's own

const ROUTE_TYPES: Readonly<Record<number, NetlinkRoute['type']>> = {
  [rt.RouteType.UNICAST]: 'unicast',
  [rt.RouteType.LOCAL]: 'local',
  [rt.RouteType.BROADCAST]: 'broadcast',
  [rt.RouteType.MULTICAST]: 'multicast',
  [rt.RouteType.BLACKHOLE]: 'blackhole',
  [rt.RouteType.UNREACHABLE]: 'unreachable',
  [rt.RouteType.PROHIBIT]: 'prohibit',
};

function scopeOf(number: number): NetlinkRoute['scope'] {
  switch (number) {
    case rt.RouteScope.UNIVERSE:
      return 'global';
    case rt.RouteScope.LINK:
      return 'link';
    case rt.RouteScope.HOST:
      return 'host';
    case rt.RouteScope.NOWHERE:
      return 'nowhere';
    default:
      // The numbers between are the user's (linux/rtnetlink.h); SITE is the one of them that has a name.
      return 'site';
  }
}

function anyAddress(family: Family): Address {
  return addressFromBits(family, 0n);
}

function parseTun(data: Buffer): NonNullable<NetlinkLink['tun']> {
  const { isTap = false, persist = false, multiQueue = false } = getObject<TunAttributes>(data, TUN_DATA);
  return { mode: isTap ? 'tap' : 'tun', persist, multiQueue };
}

// ---- attributes: numbers of linux/if_addr.h, if_link.h and rtnetlink.h -----------------------------------

interface AddressAttributes extends BaseObject {
  address?: Buffer;
  local?: Buffer;
  flags?: ReturnType<typeof rt.parseAddressFlags>;
}

const ADDRESS_ATTRIBUTES: AttributeParsers<AddressAttributes> = {
  1: (data, into) => (into.address = data),
  2: (data, into) => (into.local = data),
  8: (data, into) => (into.flags = rt.parseAddressFlags(getU32(data))),
};

interface LinkAttributes extends BaseObject {
  mac?: string;
  name?: string;
  mtu?: number;
  info?: Buffer;
  alias?: string;
  carrier?: boolean;
}

const LINK_ATTRIBUTES: AttributeParsers<LinkAttributes> = {
  1: (data, into) => (into.mac = macFromBytes(data)),
  3: (data, into) => (into.name = getString(data)),
  4: (data, into) => (into.mtu = getU32(data)),
  18: (data, into) => (into.info = data),
  20: (data, into) => (into.alias = getString(data)),
  33: (data, into) => (into.carrier = getU8(data) !== 0),
};

interface LinkInfo extends BaseObject {
  kind?: string;
  data?: Buffer;
}

const LINK_INFO: AttributeParsers<LinkInfo> = {
  1: (data, into) => (into.kind = getString(data)),
  2: (data, into) => (into.data = data),
};

interface TunAttributes extends BaseObject {
  isTap?: boolean;
  persist?: boolean;
  multiQueue?: boolean;
}

const TUN_DATA: AttributeParsers<TunAttributes> = {
  3: (data, into) => (into.isTap = getU8(data) === 2), // IFF_TAP
  6: (data, into) => (into.persist = getU8(data) !== 0),
  7: (data, into) => (into.multiQueue = getU8(data) !== 0),
};

interface RouteAttributes extends BaseObject {
  destination?: Address;
  link?: number;
  via?: Address;
  metric?: number;
  preferredSource?: Address;
  multipath?: boolean;
  table?: number;
}

const ROUTE_ATTRIBUTES: AttributeParsers<RouteAttributes> = {
  1: (data, into) => (into.destination = addressFromBytes(data)),
  4: (data, into) => (into.link = getU32(data)),
  5: (data, into) => (into.via = addressFromBytes(data)),
  6: (data, into) => (into.metric = getU32(data)),
  7: (data, into) => (into.preferredSource = addressFromBytes(data)),
  9: (_data, into) => (into.multipath = true),
  15: (data, into) => (into.table = getU32(data)),
  // RTA_VIA, a gateway of the other family: struct rtvia, a 16-bit family before the address.
  18: (data, into) => (into.via = addressFromBytes(data.subarray(2))),
};

type AttributeParsers<T> = Readonly<Record<number, (data: Buffer, into: T) => unknown>>;
