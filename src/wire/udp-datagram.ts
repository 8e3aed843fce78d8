/** A payload behind the IPv4 and UDP headers that it travels with, made from what a socket tells of them. */
import type { Address } from '../model/address.js';
import { writeI32Be, writeU16Be } from './big-endian.js';
import { checksum } from './checksum.js';
import { IPV4, IPV4_HEADER_BYTES, ipv4Key, PROTOCOL } from './ipv4.js';
import { UDP, UDP_HEADER_BYTES } from './transport.js';

export const DATAGRAM_HEADER_BYTES = IPV4_HEADER_BYTES + UDP_HEADER_BYTES;

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** What Linux sends with. */
const TTL = 64;
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;

/**
 * As much of it as `payload` has, where the whole payload has `payloadBytes`. TTL and identification are not known: 64 and 0;
 * the UDP checksum is zero, which says that there is none (RFC 768).
 */
export function udpDatagram(
  from: Endpoint,
  to: Endpoint,
  payload: Uint8Array,
  payloadBytes = payload.length,
): Uint8Array {
  const bytes = new Uint8Array(DATAGRAM_HEADER_BYTES + payload.length);
  bytes[IPV4.VERSION_AND_HEADER_WORDS] = 0x45;
  writeU16Be(bytes, IPV4.TOTAL_LENGTH, DATAGRAM_HEADER_BYTES + payloadBytes);
  bytes[IPV4.TTL] = TTL;
  bytes[IPV4.PROTOCOL] = PROTOCOL.UDP;
  writeI32Be(bytes, IPV4.SOURCE, ipv4Key(from.address));
  writeI32Be(bytes, IPV4.DESTINATION, ipv4Key(to.address));
  writeU16Be(bytes, IPV4.HEADER_CHECKSUM, checksum(bytes, 0, IPV4_HEADER_BYTES));
  writeU16Be(bytes, IPV4_HEADER_BYTES + SOURCE_PORT, from.port);
  writeU16Be(bytes, IPV4_HEADER_BYTES + DESTINATION_PORT, to.port);
  writeU16Be(bytes, IPV4_HEADER_BYTES + UDP.LENGTH, UDP_HEADER_BYTES + payloadBytes);
  bytes.set(payload, DATAGRAM_HEADER_BYTES);
  return bytes;
}
