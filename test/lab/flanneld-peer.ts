/**
 * A flanneld on another host as far as its peers can tell, with one container behind it: bare IPv4 packets in datagrams
 * from port 8285 to port 8285, the TTL lowered by the daemon and by its host's kernel.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { ICMP, icmpOf, packetOf, type ReadPacket, readIcmp, readPacket } from '../fakes/packets.js';
import type { Host } from './host.js';
import { inNamespaceOf } from './namespace.js';

const PORT = 8285;
const ECHO = { request: 8, reply: 0 } as const;
/** A container's packet has 64; its host's kernel and flanneld take one each. */
const TTL_ON_THE_UNDERLAY = 62;

export interface Received {
  /** `10.8.65.1:8285` */
  readonly from: string;
  readonly bytes: Uint8Array;
  readonly packet: ReadPacket;
}

export class FlanneldPeer {
  readonly received: Received[] = [];
  readonly #socket: Socket;
  readonly #container: string;

  private constructor(socket: Socket, container: string) {
    this.#socket = socket;
    this.#container = container;
    socket.on('message', (bytes, { address, port }) => this.#take(bytes, address, port));
  }

  /** On `host`, whose eth0 has `address`; `container` answers pings. */
  static async start(host: Host, address: string, container: string): Promise<FlanneldPeer> {
    const socket = createSocket('udp4');
    await inNamespaceOf(host.pid, async () => {
      socket.bind(PORT, address);
      await once(socket, 'listening');
    });
    return new FlanneldPeer(socket, container);
  }

  /** An echo request of the container's, carried as flanneld carries it. */
  ping(destination: string, via: string, sequence: number): void {
    this.#send(via, destination, ECHO.request, Uint8Array.from([0x58, 0xa9, 0, sequence, ...PAYLOAD]));
  }

  /** Echo replies to the container, by sequence number. */
  get replies(): readonly number[] {
    return this.received
      .filter(({ packet }) => packet.destination === this.#container && readIcmp(packet).type === ECHO.reply)
      .map(({ packet }) => readIcmp(packet).nextHopMtu);
  }

  close(): void {
    this.#socket.close();
  }

  #take(datagram: Uint8Array, address: string, port: number): void {
    const bytes = Uint8Array.from(datagram);
    // Throws when this is anything but one bare packet.
    const packet = readPacket(bytes);
    this.received.push({ from: `${address}:${port}`, bytes, packet });
    const isForUs = packet.destination === this.#container && packet.protocol === ICMP;
    if (isForUs && readIcmp(packet).type === ECHO.request) {
      this.#send(address, packet.source, ECHO.reply, packet.payload.subarray(4));
    }
  }

  #send(via: string, destination: string, type: number, rest: Uint8Array): void {
    const payload = icmpOf(type, 0, rest);
    const packet = packetOf({
      source: this.#container,
      destination,
      ttl: TTL_ON_THE_UNDERLAY,
      protocol: ICMP,
      payload,
    });
    this.#socket.send(packet, PORT, via);
  }
}

const PAYLOAD = new TextEncoder().encode('flannelflannelflannel');
