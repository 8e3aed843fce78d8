/**
 * Puts the packets out of the TUN into messages to peers: each message is a run of datagrams of one size, of
 * which only the last may be shorter, as UDP_SEGMENT wants it (udp(7)).
 */
import { Messages } from './messages.js';
import type { PacketMemory } from './packet-memory.js';

/** What one UDP datagram over IPv4 can hold; the datagrams of one message share that room. */
const MOST_MESSAGE_BYTES = 65_507;

export class Outbox {
  readonly messages: Messages;
  #mostDatagrams = 1;
  #row = 0;
  #address = 0;
  #port = 0;
  #datagrams = 0;
  #datagramBytes = 0;
  #lastBytes = 0;
  #messageBytes = 0;

  constructor(memory: PacketMemory) {
    this.messages = new Messages(memory);
  }

  /** From now on datagrams are for this peer. */
  address(row: number, address: number, port: number, mostDatagrams: number): void {
    this.finish();
    this.#row = row;
    this.#address = address;
    this.#port = port;
    this.#mostDatagrams = mostDatagrams;
  }

  /** Adds a datagram that is one piece. The messages must not be full. */
  add(at: number, length: number): void {
    this.#begin(length);
    this.messages.addPiece(at, length);
    this.#count(1, length);
  }

  /** How many datagrams of a header and a payload may be added as one run, at least one. The messages must not be full. */
  roomFor(headerBytes: number, payloadBytes: number): number {
    const bytes = headerBytes + payloadBytes;
    this.#begin(bytes);
    // A shorter one is the last of its message.
    if (bytes < this.#datagramBytes) return 1;
    const fitting = Math.floor((MOST_MESSAGE_BYTES - this.#messageBytes) / bytes);
    const more = this.#mostDatagrams - this.#datagrams;
    return Math.max(1, Math.min(fitting, more, this.messages.roomFor(headerBytes)));
  }

  /** Adds `count` datagrams for which there is room. Their headers lie behind each other, and so do their payloads. */
  addRun(
    headersAt: number,
    headerBytes: number,
    payloadsAt: number,
    payloadBytes: number,
    count: number,
  ): void {
    this.messages.addPackets(headersAt, headerBytes, payloadsAt, payloadBytes, count);
    this.#count(count, headerBytes + payloadBytes);
  }

  /** Ends the message in the making, if there is one. */
  finish(): void {
    if (this.#datagrams === 0) return;
    const { messages } = this;
    const message = messages.end(this.#row, this.#datagrams, this.#messageBytes);
    messages.datagramBytes[message] = this.#datagramBytes;
    messages.addresses[message] = this.#address;
    messages.ports[message] = this.#port;
    this.#datagrams = 0;
    this.#messageBytes = 0;
  }

  /** Sees to it that the message in the making takes a datagram of this size. */
  #begin(bytes: number): void {
    if (!this.#takes(bytes)) this.finish();
    if (this.#datagrams === 0) this.#datagramBytes = bytes;
  }

  #count(datagrams: number, bytes: number): void {
    this.#datagrams += datagrams;
    this.#lastBytes = bytes;
    this.#messageBytes += datagrams * bytes;
  }

  /** Whether the message in the making may get one more datagram of this size. */
  #takes(bytes: number): boolean {
    return (
      this.#datagrams < this.#mostDatagrams &&
      this.#lastBytes === this.#datagramBytes &&
      bytes <= this.#datagramBytes &&
      this.#messageBytes + bytes <= MOST_MESSAGE_BYTES
    );
  }
}
