/**
 * Every packet comes out of the kernel as it was sent to us: what the loop has put together is written into flannel0,
 * and routed on to a device that takes single packets only, so that the kernel must take it apart again.
 *
 *   peer 127.0.0.12 ═ UDP ═ loop ── flannel0 ── kernel, forwarding ── out0, which the test reads
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Messages } from '../../src/dataplane/messages.js';
import { PacketBatch } from '../../src/dataplane/packet-batch.js';
import { PacketMemory } from '../../src/dataplane/packet-memory.js';
import { parseAddress } from '../../src/model/address.js';
import * as libc from '../../src/sys/libc.js';
import { openTun, openUdpSocket } from '../../src/sys/packet-devices.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { TunQueue } from '../../src/sys/tun-queue.js';
import { UdpSocket } from '../../src/sys/udp-socket.js';
import { ipv4Key } from '../../src/wire/ipv4.js';
import { DONT_FRAGMENT, forwarded, ICMP, icmpOf, packetOf } from '../fakes/packets.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { type TcpFields, tcpOf, udpOf } from '../fakes/segments.js';
import { HandTurnedLoop, PORT, type Side } from '../lab/hand-turned-loop.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const OURS: Side = { tun: 'flannel0', subnet: '10.1.40.0/24', publicIp: '127.0.0.11' };
const PEER: Side = { tun: 'none', subnet: '10.1.63.0/24', publicIp: '127.0.0.12' };
const ROUNDS = 60;
const FLOWS = 3;
const MOST_PACKETS = 60;
const MTU = 1472;

const SET_UP = `
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
for link in flannel0 out0; do
  echo 0 >/proc/sys/net/ipv4/conf/$link/rp_filter
  echo 1 >/proc/sys/net/ipv6/conf/$link/disable_ipv6
  ip link set $link mtu ${MTU} up
done
echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
ip route add 10.1.0.0/16 dev flannel0
ip route add 10.1.40.0/24 dev out0`;

class Wire {
  readonly #memory = new PacketMemory(8 << 20);
  readonly #batch = new PacketBatch(this.#memory, 4 << 20, 256);
  readonly #messages = new Messages(this.#memory);
  readonly #at = this.#memory.reserve(MOST_PACKETS * MTU);
  readonly #peerFd = openUdpSocket(parseAddress(PEER.publicIp), PORT, false, false).fd;
  readonly #peer = new UdpSocket(this.#peerFd, { segment: false, gro: false });
  readonly #out = openTun('out0', false, false);
  readonly #queue = new TunQueue(this.#out.fd, this.#out.offloads);

  /** Sends each as a datagram of the peer's. */
  send(packets: readonly Uint8Array[]): void {
    this.#messages.clear();
    packets.forEach((packet, index) => {
      const at = this.#at + index * MTU;
      this.#memory.bytes.set(packet, at);
      this.#messages.addPiece(at, packet.length);
      const message = this.#messages.end(0, 1, packet.length);
      this.#messages.addresses[message] = ipv4Key(parseAddress(OURS.publicIp));
      this.#messages.ports[message] = PORT;
    });
    this.#peer.send(this.#messages);
  }

  /** The packets that the kernel has sent out since the last call. */
  came(): Uint8Array[] {
    const packets: Uint8Array[] = [];
    while (this.#queue.read(this.#batch) > 0) {
      for (let slot = 0; slot < this.#batch.count; slot++) {
        const at = this.#batch.at[slot] ?? 0;
        packets.push(this.#memory.bytes.slice(at, at + (this.#batch.lengths[slot] ?? 0)));
      }
    }
    return packets;
  }

  close(): void {
    for (const fd of [this.#peerFd, this.#out.fd]) libc.close(fd);
  }
}

/** Packets of a few flows, mostly in sequence; now and then one differs in something, is missing or comes too late. */
function mixture(random: () => number): Uint8Array[] {
  const one = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const segmentBytes = one(1, 2, 99, 100, 536, 1000, 1001);
  const numbers = Array.from({ length: FLOWS }, () => Math.floor(random() * 3));
  const start = one(0, 0xfff0, 0x7fff);
  const packets = Array.from({ length: 20 + Math.floor(random() * (MOST_PACKETS - 20)) }, () => {
    const flow = Math.floor(random() * FLOWS);
    const number = numbers[flow] ?? 0;
    numbers[flow] = number + (random() < 0.05 ? 2 : 1);
    const fields: TcpFields = {
      source: '10.1.63.2',
      destination: '10.1.40.2',
      identification: (start + number) & 0xffff,
      fragment: flow === 0 ? DONT_FRAGMENT : 0,
      ports: [40_000 + flow, 80],
      sequence: (0xffff_f000 + number * segmentBytes) >>> 0,
      payload: Uint8Array.from({ length: segmentBytes }, () => Math.floor(random() * 256)),
      ...(random() < 0.8 ? {} : one<TcpFields>(...ODDITIES)),
    };
    const make = one(tcpOf, tcpOf, tcpOf, flow === 1 ? udpOf : tcpOf);
    const packet = make(fields);
    // A wrong checksum is the receiver's to find.
    if (random() < 0.03) packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 1;
    return packet;
  });
  packets.push(packetOf({ ...THERE, protocol: ICMP, payload: icmpOf(8) }));
  if (random() < 0.3) packets.reverse();
  return packets;
}

const THERE = { source: '10.1.63.2', destination: '10.1.40.2' };
const ODDITIES: readonly TcpFields[] = [
  ...[0x18, 0x11, 0x19, 0x30, 0x50, 0x90, 0xd0, 0x12, 0x14, 0].map((flags) => ({ flags })),
  { dscpAndEcn: 3 },
  { dscpAndEcn: 0xb9 },
  { ttl: 7 },
  { window: 9 },
  { acknowledgement: 9 },
  { urgentPointer: 1 },
  { tcpOptions: Uint8Array.from([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]) },
  { payload: new Uint8Array() },
  { payload: new Uint8Array(7) },
  { identification: 0 },
  { fragment: 0x2000 },
];

/** Of each flow its packets in order. */
function byFlow(packets: readonly Uint8Array[]): Record<string, string[]> {
  const flows: Record<string, string[]> = {};
  for (const packet of packets) {
    const isWhole = ((packet[6] ?? 0) & 0x20) === 0 && packet[9] !== ICMP;
    const name = `${packet[9]} ${isWhole ? Buffer.from(packet.subarray(20, 24)).toString('hex') : 'other'}`;
    flows[name] ??= [];
    flows[name].push(Buffer.from(packet).toString('hex'));
  }
  return flows;
}

/** How many packets from the peer the loop is done with. */
function judged({ counters }: HandTurnedLoop): number {
  const { received, drops } = counters.totals();
  return Object.values(drops).reduce((sum, count) => sum + count, received.packets);
}

test(`gives ${ROUNDS} mixtures of packets out of the kernel as they were sent, each flow in order`, () =>
  inFreshNamespace(async () => {
    for (const name of ['flannel0', 'out0']) kernelTuns.create(name, { multiQueue: false });
    await outputOf(['sh', '-euc', SET_UP]);
    const [loop, wire] = [new HandTurnedLoop(OURS, PEER), new Wire()];
    try {
      const { next } = seededRandom(4);
      for (let round = 0; round < ROUNDS; round++) {
        const packets = mixture(next);
        const before = judged(loop);
        wire.send(packets);
        while (judged(loop) < before + packets.length) loop.turn();
        // Once by the loop, once by the kernel.
        const expected = packets.map((packet) => forwarded(forwarded(packet)));
        assert.deepEqual(byFlow(wire.came()), byFlow(expected), `round ${round}`);
      }
    } finally {
      for (const one of [loop, wire]) one.close();
    }
  }));
