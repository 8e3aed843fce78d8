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
  const body = new Writer();
  body.u32(BYTE_ORDER_MAGIC).u16(1).u16(0);
  body.u32(0xffffffff).u32(0xffffffff); // the section's length, which nobody knows yet
  body.text(OPTION.USER_APPLICATION, application).endOfOptions();
  return block(BLOCK.SECTION, body);
}

export interface PcapngInterface {
  readonly name: string;
  readonly description: string;
  /** The most bytes that a packet of it has in the file. */
  readonly snapBytes: number;
}

/** Interfaces are numbered in the order in which their blocks stand, from 0. */
export function interfaceBlock({ name, description, snapBytes }: PcapngInterface): Uint8Array {
  const body = new Writer();
  body.u16(LINK_TYPE_RAW).u16(0).u32(snapBytes);
  body.text(OPTION.NAME, name).text(OPTION.DESCRIPTION, description).endOfOptions();
  return block(BLOCK.INTERFACE, body);
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
  const body = new Writer();
  body.u32(packet.interfaceNumber).time(packet.atMs).u32(packet.bytes.length).u32(packet.lengthBytes);
  body.padded(packet.bytes);
  body.text(OPTION.COMMENT, packet.comment);
  body.option(OPTION.FLAGS, new Writer().u32(packet.direction === 'in' ? INBOUND : OUTBOUND).bytes());
  body.endOfOptions();
  return block(BLOCK.PACKET, body);
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
  const body = new Writer();
  body.u32(statistics.interfaceNumber).time(statistics.endMs);
  body.option(OPTION.START_TIME, new Writer().time(statistics.startMs).bytes());
  body.option(OPTION.END_TIME, new Writer().time(statistics.endMs).bytes());
  body.option(OPTION.RECEIVED, new Writer().u64(statistics.received).bytes());
  body.option(OPTION.DROPPED, new Writer().u64(statistics.dropped).bytes());
  body.endOfOptions();
  return block(BLOCK.STATISTICS, body);
}

/** The length stands at both ends, so that a file can be read backwards. */
function block(type: number, body: Writer): Uint8Array {
  const inner = body.bytes();
  const length = inner.length + 12;
  return new Writer().u32(type).u32(length).padded(inner).u32(length).bytes();
}

const MOST_OPTION_BYTES = 0xffff;
const TWO_TO_32 = 2 ** 32;

class Writer {
  readonly #parts: Uint8Array[] = [];

  u16(value: number): this {
    return this.#add(Uint8Array.of(value, value >>> 8));
  }

  u32(value: number): this {
    return this.#add(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
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
    return this.#add(bytes).#add(new Uint8Array(-bytes.length & 3));
  }

  option(code: number, value: Uint8Array): this {
    return this.u16(code).u16(value.length).padded(value);
  }

  text(code: number, text: string): this {
    return this.option(code, new TextEncoder().encode(text).subarray(0, MOST_OPTION_BYTES));
  }

  endOfOptions(): this {
    return this.u16(OPTION.END).u16(0);
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #add(part: Uint8Array): this {
    this.#parts.push(part);
    return this;
  }
}
