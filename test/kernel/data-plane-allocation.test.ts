/** What a packet costs the collector: two packet loops of one namespace, turned by hand, over real devices. */
import assert from 'node:assert/strict';
import { PerformanceObserver } from 'node:perf_hooks';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { Messages } from '../../src/dataplane/messages.js';
import { PacketMemory } from '../../src/dataplane/packet-memory.js';
import { parseAddress } from '../../src/model/address.js';
import * as libc from '../../src/sys/libc.js';
import { openUdpSocket } from '../../src/sys/packet-devices.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { UdpSocket } from '../../src/sys/udp-socket.js';
import { ipv4Key } from '../../src/wire/ipv4.js';
import { HandTurnedLoop, type Side } from '../lab/hand-turned-loop.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const RUN_PACKETS = 64;
const WARM_UP_PACKETS = 100_000;
const PACKETS = 200_000;
const PAYLOAD_BYTES = 64;
/** The least that can be allocated, a number in a box of its own, takes 16 bytes. What one turn needs is below this. */
const MOST_BYTES_A_PACKET = 8;

const A: Side = { tun: 'flannel0', subnet: '10.1.40.0/24', publicIp: '127.0.0.11' };
const B: Side = { tun: 'flannel1', subnet: '10.1.63.0/24', publicIp: '127.0.0.12' };

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
    const [a, b, flood] = [new HandTurnedLoop(A, B), new HandTurnedLoop(B, A), new Flood()];
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
