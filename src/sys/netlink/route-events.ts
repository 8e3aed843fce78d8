/** Tells somebody else's routes into some networks from all others: a routing daemon may change a thousand a second. */
import type { Buffer } from 'node:buffer';
import * as rt from 'netlink/dist/rt/structs.js';
import { HEADER_LENGTH, parseHeader } from 'netlink/dist/structs.js';
import { contains, type Prefix, prefixOf } from '../../model/address.js';
import { addressFromBytes, FAMILY_BYTES, familyOfNumber } from './address-bytes.js';
import type { EventFilter } from './neighbour-events.js';

const { MessageType } = rt;

// linux/rtnetlink.h, struct rtattr: two bytes of length, which counts these four, and two of type.
const ATTRIBUTE_HEADER_LENGTH = 4;
const RTA_DST = 1;

/** False for a route that carries the number `ours` or leads into none of the networks, and for what is no route. */
export function foreignRouteEvents(ours: number, networks: () => readonly Prefix[]): EventFilter {
  return (start) => {
    if (start === 'lost') return true;
    const { type } = parseHeader(start).x;
    if (type !== MessageType.NEWROUTE && type !== MessageType.DELROUTE) return false;
    const route = rt.parseRoute(start.subarray(HEADER_LENGTH, HEADER_LENGTH + rt.__LENGTH_Route));
    if (route.protocol === ours) return false;
    const destination = destinationOf(start, route);
    return destination !== undefined && networks().some((network) => contains(network, destination));
  };
}

/** Undefined for a default route, which has none. The kernel puts it among the first attributes (fib_dump_info, rt6_fill_node). */
function destinationOf(
  start: Buffer,
  { family: number = 0, dstLen: length = 0 }: rt.Route,
): Prefix | undefined {
  const family = familyOfNumber(number);
  if (family === undefined) return undefined;
  let at = HEADER_LENGTH + rt.__LENGTH_Route;
  while (at + ATTRIBUTE_HEADER_LENGTH + FAMILY_BYTES[family] <= start.length) {
    const [bytes, type] = [start.readUInt16LE(at), start.readUInt16LE(at + 2)];
    const value = at + ATTRIBUTE_HEADER_LENGTH;
    if (type === RTA_DST) {
      const address = addressFromBytes(start.subarray(value, value + FAMILY_BYTES[family]));
      return prefixOf(address, length);
    }
    if (bytes < ATTRIBUTE_HEADER_LENGTH) return undefined;
    at += (bytes + 3) & ~3; // RTA_ALIGN
  }
  return undefined;
}
