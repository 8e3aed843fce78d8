/** What a packet costs the collector: two packet loops of one namespace, turned by hand, over real devices. */
import assert from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { type ControlMessage, type ControlPort, encodeRows } from '../../src/dataplane/control.js';
import { Counters, countersMemory } from '../../src/dataplane/counters.js';
import { Messages } from '../../src/dataplane/messages.js';
import { PacketLoop } from '../../src/dataplane/packet-loop.js';
import { PacketMemory } from '../../src/dataplane/packet-memory.js';
import { baseOf, parseAddress, parsePrefix } from '../../src/model/address.js';
import * as libc from '../../src/sys/libc.js';
import { openTun, openUdpSocket } from '../../src/sys/packet-devices.js';
import { createPacketIo } from '../../src/sys/packet-io.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { UdpSocket } from '../../src/sys/udp-socket.js';
import { ipv4Key } from '../../src/wire/ipv4.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const PORT = 8285;
const RUN_PACKETS = 64;
const WARM_UP_PACKETS = 100_000;
const PACKETS = 200_000;
const PAYLOAD_BYTES = 64;
/** The least that can be allocated, a number in a box of its own, takes 16 bytes. What one turn needs is below this. */
const MOST_BYTES_A_PACKET = 8;

interface Side {
  readonly tun: string;
  readonly subnet: string;
  readonly publicIp: string;
}

const A: Side = { tun: 'flannel0', subnet: '10.1.40.0/24', publicIp: '127.0.0.11' };
const B: Side = { tun: 'flannel1', subnet: '10.1.63.0/24', publicIp: '127.0.0.12' };

class Loop {
  readonly counters = new Counters(countersMemory());
  readonly #loop: PacketLoop;
  readonly #messages: ControlMessage[];
  readonly #fds: number[];

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

/** Sends runs of datagrams, each by itself, from this namespace to an address behind B's loop. */
class Flood {
  readonly #fd = openUdpSocket(parseAddress('10.1.40.0'), 9999, false, false).fd;
  readonly #socket = new UdpSocket(this.#fd, { segment: false, gro: false });
  readonly #messages: Messages;

  constructor() {
    const memory = new PacketMemory(1 << 20);
    const at = memory.reserve(PAYLOAD_BYTES);
    this.#messages = new Messages(memory);
    for (let next = 0; next < RUN_PACKETS; next++) {
      this.#messages.addPiece(at, PAYLOAD_BYTES);
      const message = this.#messages.end(0, 1, PAYLOAD_BYTES);
      this.#messages.addresses[message] = ipv4Key(parseAddress('10.1.63.2'));
      this.#messages.ports[message] = 9;
    }
  }

  send(): void {
    this.#socket.send(this.#messages);
  }

  close(): void {
    libc.close(this.#fd);
  }
}

test(`allocates nothing for ${PACKETS.toLocaleString('en')} packets out and in again`, () =>
  inFreshNamespace(async () => {
    for (const { tun } of [A, B]) kernelTuns.create(tun, { multiQueue: false });
    const setUp = `
ip link set lo up
ip address add 10.1.40.0/32 dev flannel0
ip link set flannel0 mtu 1472 up
ip link set flannel1 mtu 1472 up
ip route add 10.1.63.0/24 dev flannel0`;
    await outputOf(['sh', '-euc', setUp]);
    const [a, b, flood] = [new Loop(A, B), new Loop(B, A), new Flood()];
    const received = () => b.counters.totals().received.packets;
    const carry = (packets: number) => {
      for (const target = received() + packets; received() < target; ) {
        for (let run = 0; run < 50; run++) {
          flood.send();
          a.turn();
          b.turn();
        }
      }
    };
    const collections: number[] = [];
    const observer = new PerformanceObserver((list) =>
      collections.push(...list.getEntries().map(({ startTime }) => startTime)),
    );
    try {
      carry(WARM_UP_PACKETS);
      observer.observe({ entryTypes: ['gc'] });
      await nextTurn();
      const before = getHeapStatistics().used_heap_size;
      const start = performance.now();
      carry(PACKETS);
      const end = performance.now();
      const growth = getHeapStatistics().used_heap_size - before;
      await nextTurn();
      assert.deepEqual(
        collections.filter((at) => at > start && at < end),
        [],
        'collections',
      );
      assert.ok(growth < PACKETS * MOST_BYTES_A_PACKET, `the heap grew by ${growth} bytes`);
    } finally {
      observer.disconnect();
      for (const one of [a, b, flood]) one.close();
    }
  }));
