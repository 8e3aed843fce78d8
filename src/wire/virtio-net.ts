/**
 * The header in front of each packet of a TUN with IFF_VNET_HDR: struct virtio_net_hdr of linux/virtio_net.h, in
 * the processor's byte order, which is little-endian wherever koffi runs.
 */

export const VIRTIO_NET_HEADER_BYTES = 10;

const FLAGS = 0;
const GSO_TYPE = 1;
const HEADER_BYTES = 2;
const GSO_BYTES = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;

const NEEDS_CHECKSUM = 1;
/** A bit beside the type: one of the packets in it carries CWR. */
const GSO_ECN = 0x80;
export const GSO = { NONE: 0, TCPV4: 1, UDP_L4: 5 } as const;

/** One of GSO, or another number for what this host never asked for. */
export function gsoType(bytes: Uint8Array, at: number): number {
  return (bytes[at + GSO_TYPE] as number) & ~GSO_ECN;
}

/** The payload of each packet but the last. */
export function gsoBytes(bytes: Uint8Array, at: number): number {
  return readU16Le(bytes, at + GSO_BYTES);
}

/** Whether the transport checksum is only that of the pseudo header, for the next one to complete. */
export function needsChecksum(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + FLAGS] as number) & NEEDS_CHECKSUM) !== 0;
}

/** Where the sum begins, counted from the start of the packet. */
export function checksumStart(bytes: Uint8Array, at: number): number {
  return readU16Le(bytes, at + CHECKSUM_START);
}

/** Where the sum belongs, counted from its beginning. */
export function checksumOffset(bytes: Uint8Array, at: number): number {
  return readU16Le(bytes, at + CHECKSUM_OFFSET);
}

/** A packet that is as it seems: nothing to complete, nothing to cut. */
export function writePlainHeader(bytes: Uint8Array, at: number): void {
  for (let next = at; next < at + VIRTIO_NET_HEADER_BYTES; next++) bytes[next] = 0;
}

/** A packet to be cut into packets of `segmentBytes` of payload, and its checksum completed in each of them. */
export function writeGsoHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  segmentBytes: number,
  transportAt: number,
  transportHeaderBytes: number,
  checksumAt: number,
): void {
  bytes[at + FLAGS] = NEEDS_CHECKSUM;
  bytes[at + GSO_TYPE] = type;
  writeU16Le(bytes, at + HEADER_BYTES, transportAt + transportHeaderBytes);
  writeU16Le(bytes, at + GSO_BYTES, segmentBytes);
  writeU16Le(bytes, at + CHECKSUM_START, transportAt);
  writeU16Le(bytes, at + CHECKSUM_OFFSET, checksumAt);
}

function readU16Le(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function writeU16Le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
