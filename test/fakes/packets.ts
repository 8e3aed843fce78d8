/** IPv4 packets for tests, made and read back without the code under test: checksums are summed word by word. */
import { type Address, addressFromBits, bitsOf, parseAddress } from '../../src/model/address.js';

export interface PacketFields {
  readonly source?: string;
  readonly destination?: string;
  readonly ttl?: number;
  readonly protocol?: number;
  readonly dscpAndEcn?: number;
  readonly identification?: number;
  /** Flags and fragment offset as they stand in the header; 0x4000 is DF. */
  readonly fragment?: number;
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

export const ICMP = 1;
export const UDP = 17;
export const DONT_FRAGMENT = 0x4000;

/** A well-formed packet; UDP with TTL 64 from 10.1.40.2 to 10.1.63.2 unless told otherwise. */
export function packetOf(fields: PacketFields = {}): Uint8Array {
  const { options = new Uint8Array(), payload = new Uint8Array(8) } = fields;
  const headerBytes = 20 + options.length;
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x40 | (headerBytes / 4));
  view.setUint8(1, fields.dscpAndEcn ?? 0);
  view.setUint16(2, bytes.length);
  view.setUint16(4, fields.identification ?? 0x1234);
  view.setUint16(6, fields.fragment ?? 0);
  view.setUint8(8, fields.ttl ?? 64);
  view.setUint8(9, fields.protocol ?? UDP);
  view.setUint32(12, Number(bitsOf(parseAddress(fields.source ?? '10.1.40.2'))));
  view.setUint32(16, Number(bitsOf(parseAddress(fields.destination ?? '10.1.63.2'))));
  bytes.set(options, 20);
  bytes.set(payload, headerBytes);
  view.setUint16(10, sumOf(bytes.subarray(0, headerBytes)));
  return bytes;
}

/** An ICMP message as the payload of a packet. */
export function icmpOf(type: number, code = 0, rest: Uint8Array = new Uint8Array(4)): Uint8Array {
  const bytes = Uint8Array.from([type, code, 0, 0, ...rest]);
  new DataView(bytes.buffer).setUint16(2, sumOf(bytes));
  return bytes;
}

/** The same packet as a forwarder leaves it: TTL and header checksum, nothing else. */
export function forwarded(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  copy[8] = (copy[8] ?? 0) - 1;
  copy.fill(0, 10, 12);
  const headerBytes = ((copy[0] ?? 0) & 0xf) * 4;
  new DataView(copy.buffer).setUint16(10, sumOf(copy.subarray(0, headerBytes)));
  return copy;
}

export interface ReadPacket {
  readonly source: Address;
  readonly destination: Address;
  readonly ttl: number;
  readonly protocol: number;
  readonly dscpAndEcn: number;
  readonly payload: Uint8Array;
}

/** Throws when the bytes are not exactly one packet with a right header checksum. */
export function readPacket(bytes: Uint8Array): ReadPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = (view.getUint8(0) & 0xf) * 4;
  if (view.getUint8(0) >> 4 !== 4) throw new Error('Cannot read packet: not IPv4');
  if (view.getUint16(2) !== bytes.length) throw new Error('Cannot read packet: the total length is wrong');
  if (sumOf(bytes.subarray(0, headerBytes)) !== 0)
    throw new Error('Cannot read packet: the checksum is wrong');
  return {
    source: addressFromBits('ipv4', BigInt(view.getUint32(12))),
    destination: addressFromBits('ipv4', BigInt(view.getUint32(16))),
    ttl: view.getUint8(8),
    protocol: view.getUint8(9),
    dscpAndEcn: view.getUint8(1),
    payload: bytes.subarray(headerBytes),
  };
}

export interface ReadIcmp {
  readonly type: number;
  readonly code: number;
  readonly nextHopMtu: number;
  readonly quote: Uint8Array;
}

/** Throws when the packet is not ICMP with a right checksum. */
export function readIcmp({ protocol, payload }: ReadPacket): ReadIcmp {
  if (protocol !== ICMP) throw new Error(`Cannot read ICMP: the protocol is ${protocol}`);
  if (sumOf(payload) !== 0) throw new Error('Cannot read ICMP: the checksum is wrong');
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const [type, code, nextHopMtu] = [view.getUint8(0), view.getUint8(1), view.getUint16(6)];
  return { type, code, nextHopMtu, quote: payload.subarray(8) };
}

/** The Internet checksum as RFC 1071 tells it, the carry added at once. */
export function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}
