/** Packets that were read and lie where they were read to. Whoever fills a batch overwrites all of it. */
import type { PacketMemory } from './packet-memory.js';

/** As much as an IPv4 packet can be long, so one is never cut: what is too long is seen to be. */
export const MOST_PACKET_BYTES = 65_535;
/** In front of each place that a packet is read to: for its virtio-net header of 10 bytes. */
export const HEADROOM_BYTES = 16;

export class PacketBatch {
  readonly bytes: Uint8Array;
  /** Of the memory that packets are read to. */
  readonly from: number;
  readonly to: number;
  /** Where each packet begins. */
  readonly at: Int32Array;
  /** 0 for a packet that was dropped. */
  readonly lengths: Int32Array;
  /** The other end of each datagram. */
  readonly addresses: Int32Array;
  readonly ports: Uint16Array;
  /** How many slots are in use. */
  count = 0;

  constructor(
    memory: PacketMemory,
    size: number,
    readonly capacity: number,
  ) {
    this.bytes = memory.bytes;
    this.from = memory.reserve(size);
    this.to = this.from + size;
    this.at = new Int32Array(capacity);
    this.lengths = new Int32Array(capacity);
    this.addresses = new Int32Array(capacity);
    this.ports = new Uint16Array(capacity);
  }
}
