/**
 * What is to be written or sent: each message one system call, put together from pieces of the packet memory, so
 * that no payload is copied. A message may hold several packets of one peer.
 */
import type { PacketMemory } from './packet-memory.js';

const MESSAGES = 256;
const PIECES = 4096;
/** Headers that were made for messages: the room for one message's worth and more. */
const SCRATCH_BYTES = 64 << 10;

/** IPv4 (60) and TCP (60) with all their options, or a virtio-net header. */
const MOST_HEADER_BYTES = 120;

/** In place of a row: the message is an ICMP error of this host's own. */
export const OWN_ANSWER = -2;

export class Messages {
  readonly bytes: Uint8Array;
  /** Two numbers for each piece: where it begins and how long it is. */
  readonly pieces = new Int32Array(PIECES * 2);
  /** For each message: which piece comes after its last. The next message begins there. */
  readonly pieceEnds = new Int32Array(MESSAGES);
  /** Of each datagram but the last, which may be shorter, of a message to be sent; all of it when it is one. */
  readonly datagramBytes = new Int32Array(MESSAGES);
  /** Where a message is to be sent to. */
  readonly addresses = new Int32Array(MESSAGES);
  readonly ports = new Uint16Array(MESSAGES);
  /** What a message counts for: whose packets, how many, and how many bytes they have in all. */
  readonly rows = new Int32Array(MESSAGES);
  readonly packets = new Int32Array(MESSAGES);
  readonly packetBytes = new Int32Array(MESSAGES);
  /** 0 when the message went out. */
  readonly errnos = new Int32Array(MESSAGES);
  count = 0;
  #pieceCount = 0;
  readonly #scratchAt: number;
  #scratchBytes = 0;

  constructor(memory: PacketMemory) {
    this.bytes = memory.bytes;
    this.#scratchAt = memory.reserve(SCRATCH_BYTES);
  }

  /** Whether one more packet of two pieces and one header may not fit: after the message in the making it may begin another. */
  get isFull(): boolean {
    return (
      this.count + 2 > MESSAGES ||
      this.#pieceCount + 2 > PIECES ||
      this.#scratchBytes + MOST_HEADER_BYTES > SCRATCH_BYTES
    );
  }

  clear(): void {
    this.count = 0;
    this.#pieceCount = 0;
    this.#scratchBytes = 0;
  }

  /** Where a header may be written that the messages need until they are cleared. */
  scratch(length: number): number {
    const at = this.#scratchAt + this.#scratchBytes;
    this.#scratchBytes += length;
    return at;
  }

  /** Adds to the message in the making. */
  addPiece(at: number, length: number): void {
    const next = this.#pieceCount++ * 2;
    this.pieces[next] = at;
    this.pieces[next + 1] = length;
  }

  /** How many packets of a header of `headerBytes` and a payload fit: at least one while this is not full. */
  roomFor(headerBytes: number): number {
    const pieces = PIECES - this.#pieceCount;
    const scratchBytes = SCRATCH_BYTES - this.#scratchBytes;
    return Math.min(pieces >>> 1, Math.floor(scratchBytes / headerBytes));
  }

  /** Adds `count` packets to the message in the making: their headers lie behind each other, and so do their payloads. */
  addPackets(
    headersAt: number,
    headerBytes: number,
    payloadsAt: number,
    payloadBytes: number,
    count: number,
  ): void {
    const { pieces } = this;
    let next = this.#pieceCount * 2;
    for (let packet = 0; packet < count; packet++) {
      pieces[next++] = headersAt + packet * headerBytes;
      pieces[next++] = headerBytes;
      pieces[next++] = payloadsAt + packet * payloadBytes;
      pieces[next++] = payloadBytes;
    }
    this.#pieceCount += count * 2;
  }

  /** Ends the message in the making; returns its number, for what else is to be said of it. */
  end(row: number, packets: number, packetBytes: number): number {
    const message = this.count++;
    this.pieceEnds[message] = this.#pieceCount;
    this.rows[message] = row;
    this.packets[message] = packets;
    this.packetBytes[message] = packetBytes;
    return message;
  }
}
