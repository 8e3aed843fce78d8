/** A TUN and UDP sockets in memory: what the packet loop sees of a host, without a kernel. */
import type { DatagramDevice, PacketBatch, TunDevice } from '../../src/dataplane/devices.js';
import { parseAddress } from '../../src/model/address.js';
import { ipv4Key } from '../../src/wire/ipv4.js';

const EBADFD = 77;

export class MemoryTun implements TunDevice {
  /** What the host has routed into the device and nobody has read yet. */
  readonly outgoing: Uint8Array[] = [];
  /** What was written into the device: what the host received. */
  readonly received: Uint8Array[] = [];
  /** The errno of every write while it is not 0. */
  writeErrno = 0;
  isDeleted = false;

  read(batch: PacketBatch): number {
    batch.count = 0;
    if (this.isDeleted) return -EBADFD;
    while (batch.count < batch.capacity) {
      const packet = this.outgoing.shift();
      if (packet === undefined) break;
      put(batch, packet);
    }
    return batch.count;
  }

  write(batch: PacketBatch): void {
    for (const { slot, packet } of packetsOf(batch)) {
      batch.errnos[slot] = this.writeErrno;
      if (this.writeErrno === 0) this.received.push(packet);
    }
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
    while (batch.count < batch.capacity) {
      const datagram = this.incoming.shift();
      if (datagram === undefined) break;
      batch.addresses[batch.count] = datagram.address;
      batch.ports[batch.count] = datagram.port;
      put(batch, datagram.payload);
    }
    return batch.count;
  }

  send(batch: PacketBatch): void {
    for (const { slot, packet } of packetsOf(batch)) {
      batch.errnos[slot] = this.sendErrno;
      if (this.sendErrno !== 0) continue;
      const datagram = { address: this.address, port: this.port, payload: packet };
      this.#network.deliver(datagram, batch.addresses[slot] as number, batch.ports[slot] as number);
    }
  }

  /** Sends from outside the packet loop. */
  sendTo(to: MemorySocket, payload: Uint8Array): void {
    this.#network.deliver({ address: this.address, port: this.port, payload }, to.address, to.port);
  }
}

function put(batch: PacketBatch, packet: Uint8Array): void {
  batch.slots[batch.count]?.set(packet);
  batch.lengths[batch.count++] = packet.length;
}

function packetsOf(batch: PacketBatch): { readonly slot: number; readonly packet: Uint8Array }[] {
  return Array.from({ length: batch.count }, (_, slot) => slot)
    .filter((slot) => batch.lengths[slot] !== 0)
    .map((slot) => ({ slot, packet: batch.slots[slot]?.slice(0, batch.lengths[slot]) ?? new Uint8Array() }));
}
