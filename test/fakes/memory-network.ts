/** A TUN and UDP sockets in memory: what the packet loop sees of a host, without a kernel. */
import type { DatagramDevice, TunDevice } from '../../src/dataplane/devices.js';
import type { Messages } from '../../src/dataplane/messages.js';
import { HEADROOM_BYTES, MOST_PACKET_BYTES, type PacketBatch } from '../../src/dataplane/packet-batch.js';
import { parseAddress } from '../../src/model/address.js';
import { ipv4Key } from '../../src/wire/ipv4.js';
import { plainHeader, segmentsOf, type TunPacket } from './segments.js';

const EBADFD = 77;

export class MemoryTun implements TunDevice {
  /** What the host has routed into the device and nobody has read yet. */
  readonly outgoing: (Uint8Array | TunPacket)[] = [];
  /** What the host received: each packet by itself, whatever was written together. */
  readonly received: Uint8Array[] = [];
  /** How many writes those packets took. */
  writes = 0;
  takes = { tcp: true, udp: true };
  /** The errno of every write while it is not 0. */
  writeErrno = 0;
  isDeleted = false;

  read(batch: PacketBatch): number {
    batch.count = 0;
    if (this.isDeleted) return -EBADFD;
    let at = batch.from + HEADROOM_BYTES;
    while (batch.count < batch.capacity && at + MOST_PACKET_BYTES <= batch.to) {
      const next = this.outgoing.shift();
      if (next === undefined) break;
      const { packet, header } = next instanceof Uint8Array ? { packet: next, header: plainHeader() } : next;
      batch.bytes.set(header, at - header.length);
      put(batch, at, packet);
      at += packet.length + HEADROOM_BYTES;
    }
    return batch.count;
  }

  write(messages: Messages): void {
    messagesOf(messages).forEach((pieces, message) => {
      messages.errnos[message] = this.writeErrno;
      if (this.writeErrno !== 0) return;
      const [header = plainHeader(), ...rest] = pieces;
      this.writes++;
      this.received.push(...segmentsOf({ header, packet: joined(rest) }));
    });
  }
}

/** Delivers at once and in order; a datagram to nobody is lost, as on a real network. */
export class MemoryNetwork {
  readonly #sockets = new Map<string, MemorySocket>();

  /** A socket bound to `address:port`. */
  open(address: string, port: number): MemorySocket {
    const socket = new MemorySocket(this, ipv4Key(parseAddress(address)), port);
    this.#sockets.set(`${socket.address} ${port}`, socket);
    return socket;
  }

  deliver(datagram: Datagram, address: number, port: number): void {
    this.#sockets.get(`${address} ${port}`)?.incoming.push(datagram);
  }
}

export interface Datagram {
  readonly address: number;
  readonly port: number;
  readonly payload: Uint8Array;
}

export class MemorySocket implements DatagramDevice {
  readonly incoming: Datagram[] = [];
  /** The errno of every send while it is not 0. */
  sendErrno = 0;
  /** How many messages were sent. */
  sends = 0;
  mostDatagrams = 64;
  /** The errno of the next receive; a pending error is told once. */
  receiveErrno = 0;
  readonly #network: MemoryNetwork;

  constructor(
    network: MemoryNetwork,
    readonly address: number,
    readonly port: number,
  ) {
    this.#network = network;
  }

  receive(batch: PacketBatch): number {
    batch.count = 0;
    const errno = this.receiveErrno;
    this.receiveErrno = 0;
    if (errno !== 0) return -errno;
    let at = batch.from;
    while (batch.count < batch.capacity && at + MOST_PACKET_BYTES <= batch.to) {
      const datagram = this.incoming.shift();
      if (datagram === undefined) break;
      batch.addresses[batch.count] = datagram.address;
      batch.ports[batch.count] = datagram.port;
      put(batch, at, datagram.payload);
      at += datagram.payload.length;
    }
    return batch.count;
  }

  send(messages: Messages): void {
    messagesOf(messages).forEach((pieces, message) => {
      messages.errnos[message] = this.sendErrno;
      if (this.sendErrno !== 0) return;
      this.sends++;
      const payloads = datagramsOf(joined(pieces), messages.datagramBytes[message] ?? 0);
      if (payloads.length !== messages.packets[message] || payloads.length > this.mostDatagrams) {
        throw new Error(`Cannot send ${messages.packets[message]} datagrams: there are ${payloads.length}`);
      }
      for (const payload of payloads) {
        const datagram = { address: this.address, port: this.port, payload };
        this.#network.deliver(datagram, messages.addresses[message] ?? 0, messages.ports[message] ?? 0);
      }
    });
  }

  /** Sends from outside the packet loop. */
  sendTo(to: MemorySocket, payload: Uint8Array): void {
    this.#network.deliver({ address: this.address, port: this.port, payload }, to.address, to.port);
  }
}

function put(batch: PacketBatch, at: number, packet: Uint8Array): void {
  batch.bytes.set(packet, at);
  batch.at[batch.count] = at;
  batch.lengths[batch.count++] = packet.length;
}

/** The pieces of each message. */
function messagesOf(messages: Messages): Uint8Array[][] {
  return Array.from({ length: messages.count }, (_, message) => {
    const from = message === 0 ? 0 : (messages.pieceEnds[message - 1] ?? 0);
    const numbers = messages.pieces.subarray(from * 2, (messages.pieceEnds[message] ?? 0) * 2);
    return Array.from({ length: numbers.length / 2 }, (_, piece) => {
      const at = numbers[piece * 2] ?? 0;
      return messages.bytes.slice(at, at + (numbers[piece * 2 + 1] ?? 0));
    });
  });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/** As UDP_SEGMENT cuts them; an empty message is one datagram. */
function datagramsOf(bytes: Uint8Array, datagramBytes: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / datagramBytes));
  return Array.from({ length: count }, (_, index) =>
    bytes.slice(index * datagramBytes, (index + 1) * datagramBytes),
  );
}
