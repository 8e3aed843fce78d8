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
import { MOST_PACKETS, mixture } from '../fakes/mixture.js';
import { forwarded, ICMP } from '../fakes/packets.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { HandTurnedLoop, PORT, type Side } from '../lab/hand-turned-loop.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const OURS: Side = { tun: 'flannel0', subnet: '10.1.40.0/24', publicIp: '127.0.0.11' };
const PEER: Side = { tun: 'none', subnet: '10.1.63.0/24', publicIp: '127.0.0.12' };
const ROUNDS = 60;
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
        const packets = mixture(next, { source: '10.1.63.2', destination: '10.1.40.2' });
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
