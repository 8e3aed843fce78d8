/** Who may be told by ICMP that a packet was dropped, and what: RFC 1122, section 3.2.2. */
import { readI32Be } from '../wire/big-endian.js';
import { ICMP_ERROR, isIcmpError, writeIcmpError } from '../wire/icmp.js';
import { headerBytes, IPV4, isFirstFragment, PROTOCOL } from '../wire/ipv4.js';
import type { Rules } from './rules.js';
import { ANSWER } from './verdict.js';

/**
 * "An ICMP error message MUST NOT be sent as the result of receiving: an ICMP error message, or a datagram
 * destined to an IP broadcast or IP multicast address, or [...] a non-initial fragment, or a datagram whose
 * source address does not define a single host." An ICMP echo request is none of these: ping and traceroute -I
 * are answered. The header must have been checked, `length` is the packet's.
 */
export function mayAnswer(packet: Uint8Array, length: number): boolean {
  if (!isFirstFragment(packet)) return false;
  if (!isUnicast(readI32Be(packet, IPV4.DESTINATION))) return false;
  const source = readI32Be(packet, IPV4.SOURCE);
  if (!isUnicast(source) || source >>> 24 === 0 || source >>> 24 === 127) return false;
  if (packet[IPV4.PROTOCOL] !== PROTOCOL.ICMP) return true;
  const header = headerBytes(packet);
  return !isIcmpError(packet, header, length - header);
}

/** Writes the packet that reports `answer` (not ANSWER.NONE) about `packet` to its source; returns its length. */
export function writeAnswer(into: Uint8Array, answer: number, packet: Uint8Array, rules: Rules): number {
  const source = readI32Be(packet, IPV4.SOURCE);
  switch (answer) {
    case ANSWER.NET_UNREACHABLE:
      return writeIcmpError(into, ICMP_ERROR.NET_UNREACHABLE, packet, rules.tunAddress, source, 0);
    case ANSWER.TIME_EXCEEDED:
      return writeIcmpError(into, ICMP_ERROR.TIME_EXCEEDED, packet, rules.tunAddress, source, 0);
    default:
      return writeIcmpError(
        into,
        ICMP_ERROR.FRAGMENTATION_NEEDED,
        packet,
        rules.tunAddress,
        source,
        rules.mtu,
      );
  }
}

/** Below 224.0.0.0: neither multicast, nor reserved, nor the limited broadcast. */
function isUnicast(address: number): boolean {
  return address >>> 28 < 0xe;
}
