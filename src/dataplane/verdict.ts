/**
 * Which packets go where. Decides only: changes no byte, counts nothing, knows no time; forwarder.ts acts.
 *
 * A verdict is one small integer, so that deciding allocates nothing: which peer, why dropped, and which ICMP
 * error the sender may be told. See `rowOf`, `dropOf` and `answerOf`.
 */
import { readI32Be, readU16Be } from '../wire/big-endian.js';
import { checksum } from '../wire/checksum.js';
import { headerBytes, IPV4, IPV4_HEADER_BYTES, mayFragment } from '../wire/ipv4.js';
import { DROP } from './drop-reason.js';
import { NO_ROW, type PeerTable } from './peer-table.js';
import type { Rules } from './rules.js';

/** Bits 0 to 16: row + 1. Bits 17 to 22: drop reason, 0 when forwarded. Bits 23 and 24: answer. */
export type Verdict = number;

export const ANSWER = { NONE: 0, NET_UNREACHABLE: 1, TIME_EXCEEDED: 2, FRAGMENTATION_NEEDED: 3 } as const;

/** Out of the TUN: the peer to send to. From the network: the peer it came from. NO_ROW when there is none. */
export function rowOf(verdict: Verdict): number {
  return (verdict & 0x1ffff) - 1;
}

/** A number of DROP, or 0: forward it. */
export function dropOf(verdict: Verdict): number {
  return (verdict >>> 17) & 0x3f;
}

/** One of ANSWER: what the sender may be told, if RFC 1122 and the rate limit let it (icmp-answer.ts). */
export function answerOf(verdict: Verdict): number {
  return (verdict >>> 23) & 3;
}

function verdictOf(row: number, drop: number, answer: number): Verdict {
  return (row + 1) | (drop << 17) | (answer << 23);
}

/**
 * About the `length` bytes of `packet` from `at`, which the kernel routed into the TUN. The largest packet that
 * they will be cut into has `largestBytes`: `length` unless they are a super-packet.
 */
export function verdictFromTun(
  packet: Uint8Array,
  at: number,
  length: number,
  largestBytes: number,
  rules: Rules,
  peers: PeerTable,
): Verdict {
  const malformed = structuralFault(packet, at, length);
  if (malformed !== 0) {
    return verdictOf(NO_ROW, malformed === DROP.malformed_version ? DROP.not_ipv4 : malformed, ANSWER.NONE);
  }
  const row = peers.find(readI32Be(packet, at + IPV4.DESTINATION));
  if (row === NO_ROW) return verdictOf(NO_ROW, DROP.no_route, ANSWER.NET_UNREACHABLE);
  return carriable(packet, at, largestBytes, rules, row);
}

/** About the `length` bytes of `packet` from `at`, the payload of a datagram that came from `address:port`. */
export function verdictFromNetwork(
  packet: Uint8Array,
  at: number,
  length: number,
  address: number,
  port: number,
  rules: Rules,
  peers: PeerTable,
): Verdict {
  // Cheapest first: a flood from strangers costs one look-up each.
  if (isOurs(address, port, rules)) return verdictOf(NO_ROW, DROP.reflected, ANSWER.NONE);
  const sender = peers.findSender(address, port);
  if (sender === NO_ROW && rules.sourceCheck !== 'off') {
    return verdictOf(NO_ROW, DROP.unknown_peer, ANSWER.NONE);
  }
  const malformed = structuralFault(packet, at, length);
  if (malformed !== 0) return verdictOf(sender, malformed, ANSWER.NONE);
  // Out of the TUN the kernel has just made the checksum; over the network anything may have happened to it.
  if (checksum(packet, at, headerBytes(packet, at)) !== 0) {
    return verdictOf(sender, DROP.malformed_checksum, ANSWER.NONE);
  }
  const row = acceptedRow(readI32Be(packet, at + IPV4.SOURCE), address, port, sender, rules, peers);
  if (row === REFUSED) return verdictOf(sender, DROP.spoofed_source, ANSWER.NONE);
  if ((readI32Be(packet, at + IPV4.DESTINATION) & rules.subnetMask) !== rules.subnetBase) {
    return verdictOf(row, DROP.not_local, ANSWER.NONE);
  }
  return carriable(packet, at, length, rules, row);
}

function isOurs(address: number, port: number, rules: Rules): boolean {
  return port === rules.port && (address === rules.publicIp || address === rules.bindAddress);
}

const REFUSED = -2;

/** The row to count by, of the peer whose source this is; REFUSED when the source check is against it. */
function acceptedRow(
  source: number,
  address: number,
  port: number,
  sender: number,
  rules: Rules,
  peers: PeerTable,
): number {
  const owner = peers.find(source);
  const isSenders = owner !== NO_ROW && peers.publicIp(owner) === address && peers.port(owner) === port;
  if (isSenders) return owner;
  switch (rules.sourceCheck) {
    case 'strict':
      return source === address ? sender : REFUSED;
    case 'peer':
      return owner !== NO_ROW || peers.isPublicIp(source) ? sender : REFUSED;
    case 'off':
      return sender;
  }
}

function carriable(packet: Uint8Array, at: number, length: number, rules: Rules, row: number): Verdict {
  if ((packet[at + IPV4.TTL] as number) <= 1) return verdictOf(row, DROP.ttl_expired, ANSWER.TIME_EXCEEDED);
  if (length > rules.mtu) {
    return verdictOf(row, DROP.oversize, mayFragment(packet, at) ? ANSWER.NONE : ANSWER.FRAGMENTATION_NEEDED);
  }
  return verdictOf(row, 0, ANSWER.NONE);
}

/** A number of DROP when these bytes are not one whole IPv4 packet, else 0. Reads nothing beyond `length`. */
function structuralFault(packet: Uint8Array, at: number, length: number): number {
  // The version first, where there is one: IPv6 is no malformed IPv4.
  if (length > 0 && (packet[at + IPV4.VERSION_AND_HEADER_WORDS] as number) >>> 4 !== 4)
    return DROP.malformed_version;
  if (length < IPV4_HEADER_BYTES) return DROP.malformed_short;
  const header = headerBytes(packet, at);
  if (header < IPV4_HEADER_BYTES || header > length) return DROP.malformed_header_length;
  if (readU16Be(packet, at + IPV4.TOTAL_LENGTH) !== length) return DROP.malformed_total_length;
  return 0;
}
