/**
 * Puts packets for the TUN into messages: consecutive packets of one flow as one super-packet behind a virtio-net
 * header, where the kernel will cut it into the same packets again (net/ipv4/tcp_offload.c, udp_offload.c).
 *
 * - Only what that gives back unchanged is joined; the payloads stay where they are.
 * - The kernel makes the checksums anew, so nothing is joined whose checksum is wrong: the receiver must see it.
 */
import { readU16Be, writeU16Be } from '../wire/big-endian.js';
import { checksum, folded } from '../wire/checksum.js';
import {
  addressSum,
  decrementTtl,
  IPV4,
  IPV4_HEADER_BYTES,
  isWhole,
  mayFragment,
  PROTOCOL,
} from '../wire/ipv4.js';
import { TCP, TCP_FLAG, TCP_HEADER_BYTES, tcpHeaderBytes, UDP, UDP_HEADER_BYTES } from '../wire/transport.js';
import { GSO, VIRTIO_NET_HEADER_BYTES, writeGsoHeader, writePlainHeader } from '../wire/virtio-net.js';
import { Messages } from './messages.js';
import { MOST_PACKET_BYTES } from './packet-batch.js';
import type { PacketMemory } from './packet-memory.js';

/** UDP_MAX_SEGMENTS of older kernels, which refuse more. */
const MOST_PACKETS = 64;
const WITHOUT_OPTIONS = 0x45;
/** A packet with any other flag stays alone. */
const JOINED_FLAGS = TCP_FLAG.ACK | TCP_FLAG.PSH | TCP_FLAG.FIN | TCP_FLAG.ECE;
/** Flags of the last packet of a super-packet alone. */
const LAST_FLAGS = TCP_FLAG.PSH | TCP_FLAG.FIN;

const ALONE = 0;

export class Coalescer {
  readonly messages: Messages;
  readonly #memory: PacketMemory;
  #takesTcp = false;
  #takesUdp = false;
  #row = 0;
  #virtioAt = 0;
  /** The first packet of the message in the making; its headers are those of the super-packet. */
  #at = 0;
  /** PROTOCOL.TCP, PROTOCOL.UDP, or ALONE when nothing may join. */
  #protocol: number = ALONE;
  #headerBytes = 0;
  /** Of the pseudo header (RFC 9293, section 3.1) without the length. */
  #flowSum = 0;
  #segmentBytes = 0;
  #packets = 0;
  #totalBytes = 0;
  #lastFlags = 0;
  #isClosed = false;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
    this.messages = new Messages(memory);
  }

  /** From now on packets are of this row and of one flow, by protocol, addresses and ports; `tcp` and `udp` say what may be joined at all. */
  follow(row: number, tcp: boolean, udp: boolean): void {
    this.finish();
    this.#row = row;
    this.#takesTcp = tcp;
    this.#takesUdp = udp;
  }

  /** Adds the packet of `length` bytes at `at`, which the verdict let pass. The messages must not be full. */
  add(at: number, length: number): void {
    if (this.#packets > 0) {
      if (this.#joins(at, length)) {
        this.#join(at, length);
        return;
      }
      this.finish();
    }
    this.#begin(at, length);
  }

  /** Ends the message in the making, if there is one, and lowers its TTL. */
  finish(): void {
    if (this.#packets === 0) return;
    // Of packets that are joined only the first has a header that is written.
    decrementTtl(this.#memory.bytes, this.#at);
    if (this.#packets > 1) this.#writeHeaders();
    const packetBytes = this.#totalBytes + (this.#packets - 1) * this.#headerBytes;
    this.messages.end(this.#row, this.#packets, packetBytes);
    this.#packets = 0;
  }

  #begin(at: number, length: number): void {
    const { bytes } = this.#memory;
    const { messages } = this;
    this.#at = at;
    this.#protocol = this.#joinableProtocol(at, length);
    this.#headerBytes = this.#headersOf(at);
    this.#flowSum = addressSum(bytes, at) + this.#protocol;
    this.#segmentBytes = length - this.#headerBytes;
    this.#packets = 1;
    this.#totalBytes = length;
    this.#lastFlags = 0;
    this.#isClosed =
      this.#protocol === ALONE || (this.#protocol === PROTOCOL.TCP && this.#flags(at, LAST_FLAGS) !== 0);
    const header = messages.scratch(VIRTIO_NET_HEADER_BYTES);
    this.#virtioAt = header;
    writePlainHeader(bytes, header);
    messages.addPiece(header, VIRTIO_NET_HEADER_BYTES);
    messages.addPiece(at, length);
  }

  #join(at: number, length: number): void {
    const payloadBytes = length - this.#headerBytes;
    this.#packets++;
    this.#totalBytes += payloadBytes;
    if (this.#protocol === PROTOCOL.TCP) this.#lastFlags = this.#flags(at, LAST_FLAGS);
    this.#isClosed = payloadBytes < this.#segmentBytes || this.#lastFlags !== 0;
    this.messages.addPiece(at + this.#headerBytes, payloadBytes);
  }

  /** TCP or UDP when more packets might follow this one in a super-packet, as far as itself tells. */
  #joinableProtocol(at: number, length: number): number {
    const { bytes } = this.#memory;
    if (bytes[at + IPV4.VERSION_AND_HEADER_WORDS] !== WITHOUT_OPTIONS || !isWhole(bytes, at)) return ALONE;
    const transportAt = at + IPV4_HEADER_BYTES;
    const transportBytes = length - IPV4_HEADER_BYTES;
    switch (bytes[at + IPV4.PROTOCOL]) {
      case PROTOCOL.TCP: {
        if (!this.#takesTcp || transportBytes <= TCP_HEADER_BYTES) return ALONE;
        const header = tcpHeaderBytes(bytes, transportAt);
        const flags = bytes[transportAt + TCP.FLAGS] as number;
        const isPlain = (flags & ~JOINED_FLAGS) === 0 && (flags & TCP_FLAG.ACK) !== 0;
        return isPlain && header >= TCP_HEADER_BYTES && header < transportBytes ? PROTOCOL.TCP : ALONE;
      }
      case PROTOCOL.UDP: {
        if (!this.#takesUdp || transportBytes <= UDP_HEADER_BYTES) return ALONE;
        return isWholeSummedUdp(bytes, transportAt, transportBytes) ? PROTOCOL.UDP : ALONE;
      }
      default:
        return ALONE;
    }
  }

  #headersOf(at: number): number {
    if (this.#protocol === PROTOCOL.UDP) return IPV4_HEADER_BYTES + UDP_HEADER_BYTES;
    if (this.#protocol === PROTOCOL.TCP)
      return IPV4_HEADER_BYTES + tcpHeaderBytes(this.#memory.bytes, at + IPV4_HEADER_BYTES);
    return 0;
  }

  /** Whether the kernel would make exactly this packet as the next of the super-packet. */
  #joins(at: number, length: number): boolean {
    if (this.#isClosed || this.#packets === MOST_PACKETS) return false;
    const payloadBytes = length - this.#headerBytes;
    if (payloadBytes <= 0 || payloadBytes > this.#segmentBytes) return false;
    if (this.#totalBytes + payloadBytes > MOST_PACKET_BYTES) return false;
    if (!this.#continuesIp(at)) return false;
    if (this.#protocol === PROTOCOL.TCP ? !this.#continuesTcp(at) : !this.#continuesUdp(at, length))
      return false;
    // The first packet is not looked at before there is a second: most that are alone stay so.
    return (
      this.#isSumRight(at, length) && (this.#packets > 1 || this.#isSumRight(this.#at, this.#totalBytes))
    );
  }

  /** Addresses and ports are the same in all of a flow; what is joinable about the first holds for what is the same. */
  #continuesIp(at: number): boolean {
    const memory = this.#memory;
    const { bytes, view } = memory;
    const first = this.#at;
    if (!memory.isSame16(at, first)) return false; // version, header length, DSCP and ECN
    if (!memory.isSame16(at + IPV4.FLAGS_AND_FRAGMENT, first + IPV4.FLAGS_AND_FRAGMENT)) return false;
    if (!memory.isSame16(at + IPV4.TTL, first + IPV4.TTL)) return false; // and the protocol
    const identification = view.getUint16(at + IPV4.IDENTIFICATION);
    const firstIdentification = view.getUint16(first + IPV4.IDENTIFICATION);
    if (identification === ((firstIdentification + this.#packets) & 0xffff)) return true;
    // RFC 6864, section 4.1: of a packet that must not be fragmented the field means nothing. Linux gives 0 to all
    // of an unconnected socket.
    return this.#protocol === PROTOCOL.UDP && !mayFragment(bytes, at) && identification === 0;
  }

  #continuesTcp(at: number): boolean {
    const memory = this.#memory;
    const { view } = memory;
    const tcp = at + IPV4_HEADER_BYTES;
    const first = this.#at + IPV4_HEADER_BYTES;
    const sequence = (view.getInt32(first + TCP.SEQUENCE) + this.#packets * this.#segmentBytes) | 0;
    if (view.getInt32(tcp + TCP.SEQUENCE) !== sequence) return false;
    if (!memory.isSame32(tcp + TCP.ACKNOWLEDGEMENT, first + TCP.ACKNOWLEDGEMENT)) return false;
    // Data offset, flags and window.
    const differences = view.getInt32(tcp + TCP.DATA_OFFSET) ^ view.getInt32(first + TCP.DATA_OFFSET);
    if ((differences & ~(LAST_FLAGS << 16)) !== 0) return false;
    if (!memory.isSame16(tcp + TCP.URGENT_POINTER, first + TCP.URGENT_POINTER)) return false;
    for (let word = TCP_HEADER_BYTES; word < this.#headerBytes - IPV4_HEADER_BYTES; word += 4) {
      if (!memory.isSame32(tcp + word, first + word)) return false;
    }
    return true;
  }

  #continuesUdp(at: number, length: number): boolean {
    return isWholeSummedUdp(this.#memory.bytes, at + IPV4_HEADER_BYTES, length - IPV4_HEADER_BYTES);
  }

  #isSumRight(at: number, length: number): boolean {
    const { sum } = this.#memory;
    const transportBytes = length - IPV4_HEADER_BYTES;
    return folded(this.#flowSum + transportBytes + sum(at + IPV4_HEADER_BYTES, transportBytes)) === 0xffff;
  }

  #flags(at: number, mask: number): number {
    return (this.#memory.bytes[at + IPV4_HEADER_BYTES + TCP.FLAGS] as number) & mask;
  }

  /** Makes the first packet's headers those of all of them. */
  #writeHeaders(): void {
    const { bytes } = this.#memory;
    const at = this.#at;
    const transportAt = at + IPV4_HEADER_BYTES;
    const isTcp = this.#protocol === PROTOCOL.TCP;
    writeU16Be(bytes, at + IPV4.TOTAL_LENGTH, this.#totalBytes);
    writeU16Be(bytes, at + IPV4.HEADER_CHECKSUM, 0);
    writeU16Be(bytes, at + IPV4.HEADER_CHECKSUM, checksum(bytes, at, IPV4_HEADER_BYTES));
    const checksumAt = isTcp ? TCP.CHECKSUM : UDP.CHECKSUM;
    if (isTcp) {
      bytes[transportAt + TCP.FLAGS] = (bytes[transportAt + TCP.FLAGS] as number) | this.#lastFlags;
    } else {
      writeU16Be(bytes, transportAt + UDP.LENGTH, this.#totalBytes - IPV4_HEADER_BYTES);
    }
    writeU16Be(bytes, transportAt + checksumAt, folded(this.#flowSum + this.#totalBytes - IPV4_HEADER_BYTES));
    writeGsoHeader(
      bytes,
      this.#virtioAt,
      isTcp ? GSO.TCPV4 : GSO.UDP_L4,
      this.#segmentBytes,
      IPV4_HEADER_BYTES,
      this.#headerBytes - IPV4_HEADER_BYTES,
      checksumAt,
    );
  }
}

function isWholeSummedUdp(bytes: Uint8Array, udpAt: number, udpBytes: number): boolean {
  // RFC 768: zero says that there is no checksum. The kernel would make one.
  return readU16Be(bytes, udpAt + UDP.LENGTH) === udpBytes && readU16Be(bytes, udpAt + UDP.CHECKSUM) !== 0;
}
