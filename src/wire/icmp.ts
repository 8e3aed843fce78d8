/** ICMP errors (RFC 792): building one about a packet, and telling an error from a query. */
import { readU16Be, writeU16Be } from './big-endian.js';
import { checksum } from './checksum.js';
import { IPV4, IPV4_HEADER_BYTES, PROTOCOL, writeIpv4Header } from './ipv4.js';

/** What is wrong, as type and code. */
export const ICMP_ERROR = {
  NET_UNREACHABLE: { type: 3, code: 0 },
  FRAGMENTATION_NEEDED: { type: 3, code: 4 },
  TIME_EXCEEDED: { type: 11, code: 0 },
} as const;
export type IcmpError = (typeof ICMP_ERROR)[keyof typeof ICMP_ERROR];

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const NEXT_HOP_MTU = 6; // RFC 1191, section 4
const ICMP_HEADER_BYTES = 8;

// RFC 1122, section 3.2.2: destination unreachable, source quench, redirect, time exceeded, parameter problem.
const ERROR_TYPES: readonly number[] = [3, 4, 5, 11, 12];
// RFC 1812, section 4.3.2.3: as much of the packet as fits into 576 bytes, the datagram that every host takes.
const MOST_BYTES = 576;
// RFC 1812, section 4.3.2.5: errors go with precedence 6, internetwork control.
const INTERNETWORK_CONTROL = 0xc0;
const TTL = 64;

/** Whether the ICMP message, of which `bytes` follow at `at`, is an error or too short to tell. */
export function isIcmpError(packet: Uint8Array, at: number, bytes: number): boolean {
  return bytes < 1 || ERROR_TYPES.includes(packet[at + TYPE] as number);
}

/**
 * Writes into `answer` a whole packet that reports `error` about `packet`, whose header must have been checked,
 * from `source` to the packet's own source, and returns its length: 576 bytes at most. `nextHopMtu` is zero
 * but for FRAGMENTATION_NEEDED. The two arrays must not overlap.
 */
export function writeIcmpError(
  answer: Uint8Array,
  error: IcmpError,
  packet: Uint8Array,
  source: number,
  destination: number,
  nextHopMtu: number,
): number {
  const quoteAt = IPV4_HEADER_BYTES + ICMP_HEADER_BYTES;
  const quotedBytes = Math.min(readU16Be(packet, IPV4.TOTAL_LENGTH), MOST_BYTES - quoteAt);
  const totalBytes = quoteAt + quotedBytes;
  answer.fill(0, IPV4_HEADER_BYTES, quoteAt);
  for (let next = 0; next < quotedBytes; next++) answer[quoteAt + next] = packet[next] as number;
  answer[IPV4_HEADER_BYTES + TYPE] = error.type;
  answer[IPV4_HEADER_BYTES + CODE] = error.code;
  writeU16Be(answer, IPV4_HEADER_BYTES + NEXT_HOP_MTU, nextHopMtu);
  const sum = checksum(answer, IPV4_HEADER_BYTES, totalBytes - IPV4_HEADER_BYTES);
  writeU16Be(answer, IPV4_HEADER_BYTES + CHECKSUM, sum);
  writeIpv4Header(answer, {
    dscpAndEcn: INTERNETWORK_CONTROL,
    totalBytes,
    ttl: TTL,
    protocol: PROTOCOL.ICMP,
    source,
    destination,
  });
  return totalBytes;
}
