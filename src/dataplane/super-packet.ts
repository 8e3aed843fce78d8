/**
 * One packet of the TUN that stands for many, and their headers: what the kernel would have made of it
 * (net/ipv4/tcp_offload.c, udp_offload.c). Payloads stay where they are.
 *
 * - The packets' headers are the super-packet's own, but for length, identification, sequence, checksums and flags.
 * - FIN and PSH are the last packet's alone, CWR the first's.
 */
import { writeU16Be } from '../wire/big-endian.js';
import { folded } from '../wire/checksum.js';
import { addressSum, headerBytes, IPV4, IPV4_HEADER_BYTES, isWhole, PROTOCOL } from '../wire/ipv4.js';
import { TCP, TCP_FLAG, TCP_HEADER_BYTES, tcpHeaderBytes, UDP, UDP_HEADER_BYTES } from '../wire/transport.js';
import {
  checksumOffset,
  checksumStart,
  GSO,
  gsoBytes,
  gsoType,
  needsChecksum,
  VIRTIO_NET_HEADER_BYTES,
} from '../wire/virtio-net.js';
import type { PacketMemory } from './packet-memory.js';

export class SuperPacket {
  /** IPv4 and transport. */
  headerBytes = 0;
  /** The payload of each packet but the last. */
  segmentBytes = 0;
  /** How many packets it stands for. */
  count = 0;
  readonly #memory: PacketMemory;
  #at = 0;
  #ipBytes = 0;
  #isTcp = false;
  #payloadBytes = 0;
  /** Of the first packet. */
  #identification = 0;
  #sequence = 0;
  #offsetAndFlags = 0;
  /** Sums of what is the same in all headers. */
  #ipSum = 0;
  #transportSum = 0;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
  }

  /**
   * Looks at the `length` bytes from `at`, behind their virtio-net header. False when they are no whole TCP or UDP
   * packet as that header says; nothing else may then be asked.
   */
  open(at: number, length: number): boolean {
    const { bytes } = this.#memory;
    const type = gsoType(bytes, at - VIRTIO_NET_HEADER_BYTES);
    const ipBytes = headerBytes(bytes, at);
    if (length < IPV4_HEADER_BYTES || ipBytes < IPV4_HEADER_BYTES || !isWhole(bytes, at)) return false;
    if (type !== GSO.TCPV4 && type !== GSO.UDP_L4) return false;
    this.#isTcp = type === GSO.TCPV4;
    if (bytes[at + IPV4.PROTOCOL] !== (this.#isTcp ? PROTOCOL.TCP : PROTOCOL.UDP)) return false;
    const least = this.#isTcp ? TCP_HEADER_BYTES : UDP_HEADER_BYTES;
    if (length < ipBytes + least) return false;
    const transportBytes = this.#isTcp ? tcpHeaderBytes(bytes, at + ipBytes) : UDP_HEADER_BYTES;
    const payloadBytes = length - ipBytes - transportBytes;
    const segmentBytes = gsoBytes(bytes, at - VIRTIO_NET_HEADER_BYTES);
    if (transportBytes < least || payloadBytes <= 0 || segmentBytes === 0) return false;
    this.#at = at;
    this.#ipBytes = ipBytes;
    this.#payloadBytes = payloadBytes;
    this.headerBytes = ipBytes + transportBytes;
    this.segmentBytes = segmentBytes;
    this.count = Math.ceil(payloadBytes / segmentBytes);
    return true;
  }

  /** The largest of its packets, all of it. */
  get largestBytes(): number {
    return this.headerBytes + Math.min(this.segmentBytes, this.#payloadBytes);
  }

  /** To be called before the headers are written, once nothing is changed any more. */
  prepareHeaders(): void {
    const { bytes, view, sum } = this.#memory;
    const at = this.#at;
    const transportAt = at + this.#ipBytes;
    this.#identification = view.getUint16(at + IPV4.IDENTIFICATION);
    this.#ipSum =
      sum(at, this.#ipBytes) +
      this.#without(at + IPV4.TOTAL_LENGTH) +
      this.#without(at + IPV4.IDENTIFICATION) +
      this.#without(at + IPV4.HEADER_CHECKSUM);
    // The pseudo header (RFC 9293, section 3.1) without the length.
    this.#transportSum = addressSum(bytes, at) + (bytes[at + IPV4.PROTOCOL] as number);
    this.#transportSum += sum(transportAt, this.headerBytes - this.#ipBytes);
    if (!this.#isTcp) {
      this.#transportSum +=
        this.#without(transportAt + UDP.LENGTH) + this.#without(transportAt + UDP.CHECKSUM);
      return;
    }
    this.#sequence = view.getInt32(transportAt + TCP.SEQUENCE);
    this.#offsetAndFlags = view.getUint16(transportAt + TCP.DATA_OFFSET);
    this.#transportSum +=
      this.#without(transportAt + TCP.SEQUENCE) +
      this.#without(transportAt + TCP.SEQUENCE + 2) +
      this.#without(transportAt + TCP.DATA_OFFSET) +
      this.#without(transportAt + TCP.CHECKSUM);
  }

  /** What takes the word at `at` out of a sum: its complement (RFC 1624). */
  #without(at: number): number {
    return ~this.#memory.view.getUint16(at) & 0xffff;
  }

  payloadAt(index: number): number {
    return this.#at + this.headerBytes + index * this.segmentBytes;
  }

  payloadBytes(index: number): number {
    return Math.min(this.segmentBytes, this.#payloadBytes - index * this.segmentBytes);
  }

  /** How many packets from `index` on have payloads of the same size: all but the last, when that is shorter. */
  sameSized(index: number): number {
    return Math.floor((this.#payloadBytes - index * this.segmentBytes) / this.segmentBytes) || 1;
  }

  /** Writes the headers of `count` packets of the same size, from `index` on, to `into` and behind each other. */
  writeHeaders(index: number, count: number, into: number): void {
    const { headerBytes } = this;
    const payloadBytes = this.payloadBytes(index);
    this.#memory.repeat(this.#at, headerBytes, into, count);
    for (let next = 0; next < count; next++) {
      const at = into + next * headerBytes;
      this.#writeIp(index + next, at, headerBytes + payloadBytes);
      if (this.#isTcp) this.#writeTcp(index + next, at + this.#ipBytes, payloadBytes);
      else this.#writeUdp(index + next, at + this.#ipBytes, payloadBytes);
    }
  }

  #writeIp(index: number, into: number, totalBytes: number): void {
    const { view } = this.#memory;
    const identification = (this.#identification + index) & 0xffff;
    view.setUint16(into + IPV4.TOTAL_LENGTH, totalBytes);
    view.setUint16(into + IPV4.IDENTIFICATION, identification);
    view.setUint16(into + IPV4.HEADER_CHECKSUM, ~folded(this.#ipSum + totalBytes + identification));
  }

  #writeTcp(index: number, into: number, payloadBytes: number): void {
    const { view, sum } = this.#memory;
    const sequence = (this.#sequence + index * this.segmentBytes) | 0;
    const offsetAndFlags = this.#offsetAndFlags & ~this.#othersFlags(index);
    view.setInt32(into + TCP.SEQUENCE, sequence);
    view.setUint16(into + TCP.DATA_OFFSET, offsetAndFlags);
    const total =
      this.#transportSum +
      (this.headerBytes - this.#ipBytes + payloadBytes) +
      (sequence >>> 16) +
      (sequence & 0xffff) +
      offsetAndFlags +
      sum(this.payloadAt(index), payloadBytes);
    view.setUint16(into + TCP.CHECKSUM, ~folded(total));
  }

  /** The flags that packet `index` does not have, whatever the super-packet has. */
  #othersFlags(index: number): number {
    const firsts = index > 0 ? TCP_FLAG.CWR : 0;
    const lasts = index < this.count - 1 ? TCP_FLAG.FIN | TCP_FLAG.PSH : 0;
    return firsts | lasts;
  }

  #writeUdp(index: number, into: number, payloadBytes: number): void {
    const { view, sum } = this.#memory;
    const udpBytes = UDP_HEADER_BYTES + payloadBytes;
    // The length counts twice: in the header and in the pseudo header.
    const total = this.#transportSum + 2 * udpBytes + sum(this.payloadAt(index), payloadBytes);
    view.setUint16(into + UDP.LENGTH, udpBytes);
    // RFC 768: a computed checksum of zero is sent as all ones, zero says that there is none.
    view.setUint16(into + UDP.CHECKSUM, ~folded(total) & 0xffff || 0xffff);
  }
}

/** Whether the packet at `at` stands for many, as the virtio-net header in front of it says. */
export function isSuperPacket(bytes: Uint8Array, at: number): boolean {
  return gsoType(bytes, at - VIRTIO_NET_HEADER_BYTES) !== GSO.NONE;
}

/** Of a packet that is no super-packet: whether the transport checksum, where it is to be completed, lies in it. */
export function isChecksumInside(bytes: Uint8Array, at: number, length: number): boolean {
  const header = at - VIRTIO_NET_HEADER_BYTES;
  if (!needsChecksum(bytes, header)) return true;
  const start = checksumStart(bytes, header);
  return start >= headerBytes(bytes, at) && start + checksumOffset(bytes, header) + 2 <= length;
}

/** Completes the transport checksum of a packet that is no super-packet. False when it would lie outside. */
export function completeChecksum({ bytes, sum }: PacketMemory, at: number, length: number): boolean {
  const header = at - VIRTIO_NET_HEADER_BYTES;
  if (!needsChecksum(bytes, header)) return true;
  if (!isChecksumInside(bytes, at, length)) return false;
  const start = checksumStart(bytes, header);
  const field = start + checksumOffset(bytes, header);
  // What the field holds is the sum of the pseudo header: it belongs to what is added up.
  // All ones instead of zero for any protocol, as in skb_checksum_help of net/core/dev.c.
  writeU16Be(bytes, at + field, ~sum(at + start, length - start) & 0xffff || 0xffff);
  return true;
}
