/** Neighbours and forwarding entries, which rtnetlink has in one kind of message (struct ndmsg, linux/neighbour.h). */
import type { Buffer } from 'node:buffer';
import * as rt from 'netlink/dist/rt/structs.js';
import {
  AttrStream,
  type BaseObject,
  getObject,
  getU16be,
  getU32,
  putU16be,
  putU32,
} from 'netlink/dist/structs.js';
import { type Address, type Family, familyOf } from '../../model/address.js';
import type { FdbOverrides } from '../../model/objects.js';
import type { NetlinkFdbEntry, NetlinkNeighbour, NetlinkRequest } from '../../ports.js';
import {
  addressBytes,
  addressFromBytes,
  FAMILY_NUMBER,
  familyOfNumber,
  macBytes,
  macFromBytes,
} from './address-bytes.js';
import type { Message } from './channel.js';

const { MessageType } = rt;
const AF_BRIDGE = 7; // forwarding entries of any device, not only of bridges
const NLM_F_REPLACE = 0x100;
const NLM_F_CREATE = 0x400;
const MAC_BYTES = 6;
// NDA_*, which only the tables of attributes to read know else.
const NDA = { port: 6, vni: 7, ifindex: 8 } as const;
/** The entry that all other MACs take. */
const ALL_MACS = '00:00:00:00:00:00';

type Change<Op> = Extract<NetlinkRequest, { op: Op }>;

export function changeNeighbour(
  { op, address, mac }: Change<'replace-neighbour' | 'delete-neighbour'>,
  link: number,
): Message {
  const data = { family: FAMILY_NUMBER[familyOf(address)], ifindex: link };
  const dst = addressBytes(address);
  if (op === 'delete-neighbour') return message(MessageType.DELNEIGH, 0, data, { dst });
  return replacing({ ...data, state: { permanent: true } }, { dst, lladdr: macBytes(mac) });
}

export function changeFdb(
  { op, mac, destination, overrides = {} }: Change<'replace-fdb' | 'delete-fdb'>,
  link: number,
): Message {
  // NTF_SELF: of the device itself, not of a bridge above it.
  const data = { family: AF_BRIDGE, ifindex: link, flags: { self: true } } as const;
  const attributes = { lladdr: macBytes(mac), dst: addressBytes(destination) };
  if (op === 'delete-fdb') return message(MessageType.DELNEIGH, 0, data, attributes, overrides);
  return replacing({ ...data, state: { permanent: true } }, attributes, overrides);
}

/** Asks for those of one link. */
export function neighboursOf(family: Family, link: number): Message {
  return message(MessageType.GETNEIGH, 0, { family: FAMILY_NUMBER[family] }, { ifindex: putU32(link) });
}

export function fdbOf(link: number): Message {
  return message(MessageType.GETNEIGH, 0, { family: AF_BRIDGE, ifindex: link }, {});
}

/** Undefined for one without a MAC: asked for and not answered. `link` is the link that was asked for. */
export function parseNeighbour(body: Buffer, link: string): NetlinkNeighbour | undefined {
  const { header, address, mac } = parse(body);
  if (familyOfNumber(header.family ?? 0) === undefined || address === undefined || mac === undefined)
    return undefined;
  return { link, address, mac, permanent: header.state?.permanent ?? false };
}

/** Undefined for one that names no host, and for that of all other MACs. */
export function parseFdbEntry(body: Buffer, link: string): NetlinkFdbEntry | undefined {
  const { header, address: destination, mac, port, vni, via } = parse(body);
  if (header.family !== AF_BRIDGE || destination === undefined) return undefined;
  if (mac === undefined || mac === ALL_MACS) return undefined;
  const overrides: FdbOverrides = {
    ...(port !== undefined && { port }),
    ...(vni !== undefined && { vni }),
    ...(via !== undefined && { via }),
  };
  const isPlain = Object.keys(overrides).length === 0;
  const permanent = header.state?.permanent ?? false;
  return { link, mac, destination, ...(!isPlain && { overrides }), permanent };
}

function parse(body: Buffer) {
  const header = rt.parseNeighbor(body.subarray(0, rt.__LENGTH_Neighbor));
  return { header, ...getObject<Attributes>(body.subarray(rt.__LENGTH_Neighbor), ATTRIBUTES) };
}

interface Attributes extends BaseObject {
  address?: Address;
  mac?: string | undefined;
  port?: number;
  vni?: number;
  via?: number;
}

const ATTRIBUTES: Readonly<Record<number, (data: Buffer, into: Attributes) => unknown>> = {
  1: (data, into) => (into.address = addressFromBytes(data)),
  2: (data, into) => (into.mac = data.length === MAC_BYTES ? macFromBytes(data) : undefined),
  [NDA.port]: (data, into) => (into.port = getU16be(data)),
  [NDA.vni]: (data, into) => (into.vni = getU32(data)),
  [NDA.ifindex]: (data, into) => (into.via = getU32(data)),
};

function replacing(data: rt.Neighbor, attributes: rt.NeighborAttrs, overrides: FdbOverrides = {}): Message {
  return message(MessageType.NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, data, attributes, overrides);
}

function message(
  type: rt.MessageType,
  flags: number,
  data: rt.Neighbor,
  attrs: rt.NeighborAttrs,
  { port, vni, via }: FdbOverrides = {},
): Message {
  const out = new AttrStream();
  rt.formatNeighborMessage({ kind: 'neighbor', data, attrs }, out);
  if (port !== undefined) out.push(NDA.port, putU16be(port));
  if (vni !== undefined) out.push(NDA.vni, putU32(vni));
  if (via !== undefined) out.push(NDA.ifindex, putU32(via));
  return { type, flags, body: out.bufs };
}
