/**
 * Tells somebody else's routes into some networks from all others. A routing daemon may change a hundred thousand at once: an
 * event is looked at byte by byte, and most are told by their first thirty.
 */
import type { Buffer } from 'node:buffer';
import * as rt from 'netlink/dist/rt/structs.js';
import { HEADER_LENGTH } from 'netlink/dist/structs.js';
import { baseOf, familyOf, lengthOf, type Prefix } from '../../model/address.js';
import { MAIN_TABLE } from '../../model/keys.js';
import { addressBytes, FAMILY_BYTES, FAMILY_NUMBER, familyOfNumber } from './address-bytes.js';
import type { EventFilter } from './neighbour-events.js';

const { MessageType } = rt;

// linux/netlink.h, struct nlmsghdr; behind it linux/rtnetlink.h, struct rtmsg.
const AT = {
  TYPE: 4,
  FAMILY: HEADER_LENGTH,
  DESTINATION_LENGTH: HEADER_LENGTH + 1,
  TABLE: HEADER_LENGTH + 4,
  PROTOCOL: HEADER_LENGTH + 5,
  ATTRIBUTES: HEADER_LENGTH + rt.__LENGTH_Route,
} as const;
// struct rtattr: two bytes of length, which counts these four, and two of type.
const ATTRIBUTE_HEADER_LENGTH = 4;
const RTA_DST = 1;

interface Network {
  readonly family: number;
  readonly length: number;
  readonly bytes: Buffer;
}

/** False for what is no route of the main table, carries the number `ours` or leads into none of the networks. */
export function foreignRouteEvents(ours: number, networks: () => readonly Prefix[]): EventFilter {
  let [of, known]: [readonly Prefix[], readonly Network[]] = [[], []];
  const within = (): readonly Network[] => {
    const now = networks();
    if (now !== of) [of, known] = [now, now.map(networkOf)];
    return known;
  };
  return (start) => {
    if (start === 'lost') return true;
    const type = start.readUInt16LE(AT.TYPE);
    if (type !== MessageType.NEWROUTE && type !== MessageType.DELROUTE) return false;
    // A table whose number does not fit in here has another one in its place (RT_TABLE_COMPAT).
    if (start[AT.PROTOCOL] === ours || start[AT.TABLE] !== MAIN_TABLE) return false;
    const destinationAt = destinationIn(start);
    return (
      destinationAt !== undefined && within().some((network) => leadsInto(network, start, destinationAt))
    );
  };
}

function networkOf(prefix: Prefix): Network {
  return {
    family: FAMILY_NUMBER[familyOf(prefix)],
    length: lengthOf(prefix),
    bytes: addressBytes(baseOf(prefix)),
  };
}

/** Where the destination's bytes begin; undefined for a default route, which has none. It is among the first attributes (fib_dump_info, rt6_fill_node). */
function destinationIn(start: Buffer): number | undefined {
  const family = familyOfNumber(start[AT.FAMILY] as number);
  if (family === undefined) return undefined;
  let at: number = AT.ATTRIBUTES;
  while (at + ATTRIBUTE_HEADER_LENGTH + FAMILY_BYTES[family] <= start.length) {
    if (start.readUInt16LE(at + 2) === RTA_DST) return at + ATTRIBUTE_HEADER_LENGTH;
    const bytes = start.readUInt16LE(at);
    if (bytes < ATTRIBUTE_HEADER_LENGTH) return undefined;
    at += (bytes + 3) & ~3; // RTA_ALIGN
  }
  return undefined;
}

function leadsInto({ family, length, bytes }: Network, start: Buffer, at: number): boolean {
  if (start[AT.FAMILY] !== family || (start[AT.DESTINATION_LENGTH] as number) < length) return false;
  const whole = length >> 3;
  for (let next = 0; next < whole; next++) if (start[at + next] !== bytes[next]) return false;
  const mask = 0xff00 >> (length & 7); // the bits of the last byte that count, within its lower eight
  return (((start[at + whole] as number) ^ (bytes[whole] as number)) & mask & 0xff) === 0;
}
