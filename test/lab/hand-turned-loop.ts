/** A packet loop over real devices of the namespace it is made in, on no thread of its own: the test turns it. */
import { writeSync } from 'node:fs';
import { type ControlMessage, type ControlPort, encodeRows } from '../../src/dataplane/control.js';
import { Counters, countersMemory } from '../../src/dataplane/counters.js';
import { PacketLoop } from '../../src/dataplane/packet-loop.js';
import { baseOf, parseAddress, parsePrefix } from '../../src/model/address.js';
import * as libc from '../../src/sys/libc.js';
import { openTun, openUdpSocket } from '../../src/sys/packet-devices.js';
import { createPacketIo } from '../../src/sys/packet-io.js';
import { ipv4Key } from '../../src/wire/ipv4.js';

export const PORT = 8285;

export interface Side {
  readonly tun: string;
  readonly subnet: string;
  readonly publicIp: string;
}

export class HandTurnedLoop {
  readonly counters = new Counters(countersMemory());
  readonly #loop: PacketLoop;
  readonly #messages: ControlMessage[];
  readonly #fds: number[];

  /** Configured, and `other` its only peer. */
  constructor(own: Side, other: Side) {
    const subnet = parsePrefix(own.subnet);
    const publicIp = parseAddress(own.publicIp);
    const tun = { ...openTun(own.tun, false, true), generation: 1 };
    const socket = { ...openUdpSocket(publicIp, PORT, false, true), generation: 1 };
    const wakeFd = libc.eventFd();
    this.#fds = [tun.fd, socket.fd, wakeFd];
    const state = {
      tun: own.tun,
      workers: 1,
      mtu: 1472,
      tunAddress: baseOf(subnet),
      subnet,
      publicIp,
      bind: { address: publicIp, port: PORT },
      sourceCheck: 'strict',
      offload: true,
      fastPath: false,
    } as const;
    const row = {
      row: 0,
      subnetBase: ipv4Key(baseOf(parsePrefix(other.subnet))),
      subnetLength: 24,
      publicIp: ipv4Key(parseAddress(other.publicIp)),
      port: PORT,
    };
    this.#messages = [
      { kind: 'configure', id: 1, state, tun, socket },
      { kind: 'peers', id: 2, set: encodeRows([row]), remove: new Int32Array() },
    ];
    const control: ControlPort = {
      isStopped: () => false,
      receive: () => this.#messages.shift(),
      post: () => {},
    };
    this.#loop = new PacketLoop(createPacketIo(wakeFd), control, this.counters);
    this.#wake(wakeFd);
  }

  turn(): void {
    this.#loop.turn();
  }

  /** Turns until the messages of the start are obeyed. */
  #wake(wakeFd: number): void {
    writeSync(wakeFd, new Uint8Array(BigUint64Array.of(1n).buffer));
    do this.turn();
    while (this.#messages.length > 0);
  }

  close(): void {
    for (const fd of this.#fds) libc.close(fd);
  }
}
