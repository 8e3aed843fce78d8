/**
 * Packets behind a virtio-net header as the kernel sees them: a slow reference that builds every packet anew.
 * Knows nothing of the code under test.
 */
import { type PacketFields, packetOf, sumOf } from './packets.js';

const TCP = 6;
const GSO_TCPV4 = 1;
const GSO_UDP = 5;
const NEEDS_CHECKSUM = 1;

export interface TunPacket {
  readonly packet: Uint8Array;
  /** struct virtio_net_hdr. */
  readonly header: Uint8Array;
}

export function plainHeader(): Uint8Array {
  return new Uint8Array(10);
}

/** What the TUN hands over for a packet whose transport checksum nobody has made: the pseudo header's sum is there. */
export function unfinished(packet: Uint8Array, segmentBytes = 0): TunPacket {
  const copy = packet.slice();
  const header = plainHeader();
  const view = new DataView(header.buffer);
  const ipBytes = ipHeaderBytes(packet);
  const isTcp = packet[9] === TCP;
  const checksumAt = isTcp ? 16 : 6;
  const bytes = new DataView(copy.buffer);
  bytes.setUint16(ipBytes + checksumAt, 0xffff - sumOf(pseudoHeader(copy, copy.length - ipBytes)));
  view.setUint8(0, NEEDS_CHECKSUM);
  if (segmentBytes > 0) view.setUint8(1, isTcp ? GSO_TCPV4 : GSO_UDP);
  view.setUint16(4, segmentBytes, true);
  view.setUint16(6, ipBytes, true);
  view.setUint16(8, checksumAt, true);
  return { packet: copy, header };
}

/** The packets that the kernel makes of one written into the TUN. Throws for what it would refuse. */
export function segmentsOf({ packet, header }: TunPacket): Uint8Array[] {
  const view = new DataView(header.buffer, header.byteOffset);
  const type = view.getUint8(1) & 0x7f;
  if (type === 0) {
    if (view.getUint8(0) !== 0) throw new Error('Cannot take a packet without its checksum');
    return [packet.slice()];
  }
  const isTcp = type === GSO_TCPV4;
  if (packet[9] !== (isTcp ? TCP : 17)) throw new Error('Cannot take a super-packet of another protocol');
  if (view.getUint8(0) !== NEEDS_CHECKSUM) throw new Error('Cannot take a super-packet with its checksum');
  const ipBytes = ipHeaderBytes(packet);
  const transportBytes = isTcp ? ((packet[ipBytes + 12] ?? 0) >> 4) * 4 : 8;
  const headerBytes = ipBytes + transportBytes;
  if (view.getUint16(2, true) !== headerBytes) throw new Error('Cannot take a super-packet: header length');
  if (view.getUint16(6, true) !== ipBytes) throw new Error('Cannot take a super-packet: checksum start');
  const given = new DataView(packet.buffer, packet.byteOffset).getUint16(ipBytes + (isTcp ? 16 : 6));
  if (given !== 0xffff - sumOf(pseudoHeader(packet, packet.length - ipBytes))) {
    throw new Error('Cannot take a super-packet: the sum of the pseudo header is wrong');
  }
  return cut(packet, headerBytes, view.getUint16(4, true));
}

/** The packets of a super-packet, each with a whole set of checksums. */
export function cut(packet: Uint8Array, headerBytes: number, segmentBytes: number): Uint8Array[] {
  const payload = packet.subarray(headerBytes);
  const count = Math.ceil(payload.length / segmentBytes);
  return Array.from({ length: count }, (_, index) => {
    const part = payload.subarray(index * segmentBytes, (index + 1) * segmentBytes);
    const bytes = Uint8Array.from([...packet.subarray(0, headerBytes), ...part]);
    const view = new DataView(bytes.buffer);
    const ipBytes = ipHeaderBytes(packet);
    view.setUint16(4, (view.getUint16(4) + index) % 65_536);
    if (packet[9] === TCP) {
      view.setUint32(ipBytes + 4, (view.getUint32(ipBytes + 4) + index * segmentBytes) % 2 ** 32);
      let flags = view.getUint8(ipBytes + 13);
      if (index > 0) flags &= ~0x80; // CWR
      if (index < count - 1) flags &= ~0x09; // FIN, PSH
      view.setUint8(ipBytes + 13, flags);
    }
    return finished(bytes);
  });
}

/** Makes length fields and all checksums of a TCP or UDP packet right, in place. */
export function finished(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const ipBytes = ipHeaderBytes(bytes);
  view.setUint16(2, bytes.length);
  view.setUint16(10, 0);
  view.setUint16(10, sumOf(bytes.subarray(0, ipBytes)));
  const isTcp = bytes[9] === TCP;
  if (!isTcp) view.setUint16(ipBytes + 4, bytes.length - ipBytes);
  const at = ipBytes + (isTcp ? 16 : 6);
  view.setUint16(at, 0);
  const transport = bytes.subarray(ipBytes);
  const sum = sumOf(Uint8Array.from([...pseudoHeader(bytes, transport.length), ...transport]));
  view.setUint16(at, !isTcp && sum === 0 ? 0xffff : sum);
  return bytes;
}

/** A UDP datagram whose checksum comes out as zero, which is written as all ones (RFC 768). */
export function udpThatSumsToZero(fields: PacketFields): Uint8Array {
  const payload = new Uint8Array(64).fill(3, 0, 62);
  payload.set(udpOf({ ...fields, payload }).subarray(26, 28), 62);
  return udpOf({ ...fields, payload });
}

function pseudoHeader(packet: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from([...packet.subarray(12, 20), 0, packet[9] ?? 0, length >> 8, length & 0xff]);
}

function ipHeaderBytes(packet: Uint8Array): number {
  return ((packet[0] ?? 0) & 0xf) * 4;
}

export interface TcpFields extends PacketFields {
  readonly ports?: readonly [number, number];
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly urgentPointer?: number;
  readonly tcpOptions?: Uint8Array;
}

/** A TCP segment with all its checksums, `payload` being what follows its header. */
export function tcpOf(fields: TcpFields): Uint8Array {
  const { tcpOptions = new Uint8Array(), payload = new Uint8Array() } = fields;
  const tcp = new Uint8Array(20 + tcpOptions.length);
  const view = new DataView(tcp.buffer);
  const [sourcePort, destinationPort] = fields.ports ?? [40_000, 80];
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint32(4, (fields.sequence ?? 0) >>> 0);
  view.setUint32(8, fields.acknowledgement ?? 1);
  view.setUint8(12, (tcp.length / 4) << 4);
  view.setUint8(13, fields.flags ?? 0x10);
  view.setUint16(14, fields.window ?? 512);
  view.setUint16(18, fields.urgentPointer ?? 0);
  tcp.set(tcpOptions, 20);
  return finished(packetOf({ ...fields, protocol: TCP, payload: Uint8Array.from([...tcp, ...payload]) }));
}

/** A UDP datagram with all its checksums. */
export function udpOf(fields: Pick<TcpFields, 'ports'> & PacketFields): Uint8Array {
  const { payload = new Uint8Array() } = fields;
  const udp = new Uint8Array(8 + payload.length);
  const view = new DataView(udp.buffer);
  const [sourcePort, destinationPort] = fields.ports ?? [40_000, 53];
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  udp.set(payload, 8);
  return finished(packetOf({ ...fields, payload: udp }));
}
