/** The IPv4 header (RFC 791): where its fields are, and the few things that a forwarder does to it. */
import { type Address, bitsOf } from '../model/address.js';
import { readU16Be, writeI32Be, writeU16Be } from './big-endian.js';
import { adjustedChecksum, checksum } from './checksum.js';

/** Offsets in bytes. */
export const IPV4 = {
  VERSION_AND_HEADER_WORDS: 0,
  DSCP_AND_ECN: 1,
  TOTAL_LENGTH: 2,
  IDENTIFICATION: 4,
  FLAGS_AND_FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  HEADER_CHECKSUM: 10,
  SOURCE: 12,
  DESTINATION: 16,
} as const;

/** Without options. */
export const IPV4_HEADER_BYTES = 20;
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;
const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET_MASK = 0x1fff;

/** An IPv4 address as the signed 32-bit integer that the packet path uses (see readI32Be). Throws RangeError for IPv6. */
export function ipv4Key(address: Address): number {
  const bits = bitsOf(address);
  if (address.includes(':')) throw new RangeError(`Cannot use address "${address}": IPv6, must be IPv4`);
  return Number(BigInt.asIntN(32, bits));
}

/** The bits of the network part as a signed 32-bit integer. */
export function ipv4Mask(length: number): number {
  // A shift by 32 is a shift by 0 in JavaScript.
  return length === 0 ? 0 : -1 << (32 - length);
}

/** As the header has it, not checked against the packet. */
export function headerBytes(packet: Uint8Array, at = 0): number {
  return ((packet[at + IPV4.VERSION_AND_HEADER_WORDS] as number) & 0xf) * 4;
}

export function mayFragment(packet: Uint8Array, at = 0): boolean {
  return (readU16Be(packet, at + IPV4.FLAGS_AND_FRAGMENT) & DONT_FRAGMENT) === 0;
}

/** False for every fragment but the first; true for a whole packet. */
export function isFirstFragment(packet: Uint8Array): boolean {
  return (readU16Be(packet, IPV4.FLAGS_AND_FRAGMENT) & FRAGMENT_OFFSET_MASK) === 0;
}

/** Both addresses as 16-bit words, added up: their part of a pseudo header (RFC 9293, section 3.1). */
export function addressSum(packet: Uint8Array, at: number): number {
  return (
    readU16Be(packet, at + IPV4.SOURCE) +
    readU16Be(packet, at + IPV4.SOURCE + 2) +
    readU16Be(packet, at + IPV4.DESTINATION) +
    readU16Be(packet, at + IPV4.DESTINATION + 2)
  );
}

/** No fragment: all of the transport's payload is in it. */
export function isWhole(packet: Uint8Array, at = 0): boolean {
  return (readU16Be(packet, at + IPV4.FLAGS_AND_FRAGMENT) & (FRAGMENT_OFFSET_MASK | MORE_FRAGMENTS)) === 0;
}

/** Lowers the TTL by one, keeping the header checksum right. The TTL must be above 0. */
export function decrementTtl(packet: Uint8Array, at = 0): void {
  (packet[at + IPV4.TTL] as number)--;
  const sum = readU16Be(packet, at + IPV4.HEADER_CHECKSUM);
  // As if the word had held only what is taken away: it is the difference that counts.
  writeU16Be(packet, at + IPV4.HEADER_CHECKSUM, adjustedChecksum(sum, 0x100, 0));
}

/** Writes a header without options, checksum included, at the start of `packet`; never to be fragmented, so its identification is 0 (RFC 6864). */
export function writeIpv4Header(
  packet: Uint8Array,
  header: {
    readonly dscpAndEcn: number;
    readonly totalBytes: number;
    readonly ttl: number;
    readonly protocol: number;
    readonly source: number;
    readonly destination: number;
  },
): void {
  packet[IPV4.VERSION_AND_HEADER_WORDS] = (4 << 4) | (IPV4_HEADER_BYTES / 4);
  packet[IPV4.DSCP_AND_ECN] = header.dscpAndEcn;
  writeU16Be(packet, IPV4.TOTAL_LENGTH, header.totalBytes);
  writeU16Be(packet, IPV4.IDENTIFICATION, 0);
  writeU16Be(packet, IPV4.FLAGS_AND_FRAGMENT, DONT_FRAGMENT);
  packet[IPV4.TTL] = header.ttl;
  packet[IPV4.PROTOCOL] = header.protocol;
  writeU16Be(packet, IPV4.HEADER_CHECKSUM, 0);
  writeI32Be(packet, IPV4.SOURCE, header.source);
  writeI32Be(packet, IPV4.DESTINATION, header.destination);
  writeU16Be(packet, IPV4.HEADER_CHECKSUM, checksum(packet, 0, IPV4_HEADER_BYTES));
}
