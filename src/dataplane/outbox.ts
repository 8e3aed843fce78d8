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

  /** Adds a datagram of `headerBytes` from `headerAt`, none for 0, and `payloadBytes` from `payloadAt`. The messages must not be full. */
  add(headerAt: number, headerBytes: number, payloadAt: number, payloadBytes: number): void {
    const bytes = headerBytes + payloadBytes;
    if (!this.#takes(bytes)) this.finish();
    if (this.#datagrams === 0) this.#datagramBytes = bytes;
    this.#datagrams++;
    this.#lastBytes = bytes;
    this.#messageBytes += bytes;
    if (headerBytes > 0) this.messages.addPiece(headerAt, headerBytes);
    this.messages.addPiece(payloadAt, payloadBytes);
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
