/**
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), in little-endian order: a section, its interfaces, packets with a
 * comment each, and what was missed. Times are in microseconds, which is what a file without if_tsresol means.
 */

const LINK_TYPE_RAW = 101; // LINKTYPE_RAW of tcpdump.org: begins with an IPv4 or IPv6 header

const BLOCK = { SECTION: 0x0a0d0d0a, INTERFACE: 1, STATISTICS: 5, PACKET: 6 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION = {
  END: 0,
  COMMENT: 1,
  /** Of a packet. */
  FLAGS: 2,
  /** Of a section: the program that wrote it. */
  USER_APPLICATION: 4,
  /** Of an interface. */
  NAME: 2,
  DESCRIPTION: 3,
  /** Of statistics. */
  START_TIME: 2,
  END_TIME: 3,
  RECEIVED: 4,
  DROPPED: 5,
} as const;
const INBOUND = 1;
const OUTBOUND = 2;

export function sectionBlock(application: string): Uint8Array {
  const body = new Block(BLOCK.SECTION);
  body.u32(BYTE_ORDER_MAGIC).u16(1).u16(0);
  body.u32(0xffffffff).u32(0xffffffff); // the section's length, which nobody knows yet
  body.text(OPTION.USER_APPLICATION, application).endOfOptions();
  return body.whole();
}

export interface PcapngInterface {
  readonly name: string;
  readonly description: string;
  /** The most bytes that a packet of it has in the file. */
  readonly snapBytes: number;
}

/** Interfaces are numbered in the order in which their blocks stand, from 0. */
export function interfaceBlock({ name, description, snapBytes }: PcapngInterface): Uint8Array {
  const body = new Block(BLOCK.INTERFACE);
  body.u16(LINK_TYPE_RAW).u16(0).u32(snapBytes);
  body.text(OPTION.NAME, name).text(OPTION.DESCRIPTION, description).endOfOptions();
  return body.whole();
}

export interface PcapngPacket {
  readonly interfaceNumber: number;
  /** Milliseconds since the epoch, with a fraction. */
  readonly atMs: number;
  readonly direction: 'in' | 'out';
  /** Its own length; `bytes` may be less of it. */
  readonly lengthBytes: number;
  readonly bytes: Uint8Array;
  readonly comment: string;
}

export function packetBlock(packet: PcapngPacket): Uint8Array {
  const body = new Block(BLOCK.PACKET, packet.bytes.length);
  body.u32(packet.interfaceNumber).time(packet.atMs).u32(packet.bytes.length).u32(packet.lengthBytes);
  body.padded(packet.bytes);
  body.text(OPTION.COMMENT, packet.comment);
  body.option(OPTION.FLAGS, 4).u32(packet.direction === 'in' ? INBOUND : OUTBOUND);
  return body.endOfOptions().whole();
}

export interface PcapngStatistics {
  readonly interfaceNumber: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Packets that should be in the file. */
  readonly received: number;
  /** Those of them that are not. */
  readonly dropped: number;
}

export function statisticsBlock(statistics: PcapngStatistics): Uint8Array {
  const body = new Block(BLOCK.STATISTICS);
  body.u32(statistics.interfaceNumber).time(statistics.endMs);
  body.option(OPTION.START_TIME, 8).time(statistics.startMs);
  body.option(OPTION.END_TIME, 8).time(statistics.endMs);
  body.option(OPTION.RECEIVED, 8).u64(statistics.received);
  body.option(OPTION.DROPPED, 8).u64(statistics.dropped);
  return body.endOfOptions().whole();
}

const MOST_OPTION_BYTES = 0xffff;
const TWO_TO_32 = 2 ** 32;
const LENGTH_AT = 4;
/** Of what a packet's block has beside its packet. */
const USUAL_BYTES = 192;
const utf8 = new TextEncoder();

/** A block in the making. Packets are written by the ten thousand: one piece of memory for each, and not one for each number. */
class Block {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** `payloadBytes`: what it will have beside its numbers and options. */
  constructor(type: number, payloadBytes = 0) {
    this.#bytes = new Uint8Array(USUAL_BYTES + payloadBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.u32(type).u32(0);
  }

  /** Its length stands at both ends, so that a file can be read backwards. Nothing can be added any more. */
  whole(): Uint8Array {
    const length = this.#length + 4;
    this.u32(length);
    this.#view.setUint32(LENGTH_AT, length, true);
    return this.#bytes.subarray(0, length);
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(value: number): this {
    return this.u32(value % TWO_TO_32).u32(Math.floor(value / TWO_TO_32));
  }

  /** The high half first, whatever the byte order. */
  time(ms: number): this {
    const microseconds = Math.round(ms * 1000);
    return this.u32(Math.floor(microseconds / TWO_TO_32)).u32(microseconds % TWO_TO_32);
  }

  /** Filled up to a multiple of four bytes. */
  padded(bytes: Uint8Array): this {
    const at = this.#room((bytes.length + 3) & ~3);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Its value has to follow. */
  option(code: number, valueBytes: number): this {
    return this.u16(code).u16(valueBytes);
  }

  text(code: number, text: string): this {
    const value = utf8.encode(text).subarray(0, MOST_OPTION_BYTES);
    return this.option(code, value.length).padded(value);
  }

  endOfOptions(): this {
    return this.option(OPTION.END, 0);
  }

  /** Where the next `bytes` bytes stand, which are zero so far. */
  #room(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
