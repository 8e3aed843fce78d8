/**
 * As many packet loops as the forwarder's state asks for, seen as one. Each has a queue of the TUN and a socket of its
 * own, on a thread of its own; they share nothing.
 *
 * - Flows keep their order: the kernel gives all datagrams of a peer to one socket (SO_REUSEPORT, by the addresses and
 *   ports), and all packets of a flow to one queue: that of the loop that wrote its other direction (tun_flow_update of
 *   drivers/net/tun.c).
 * - What is confirmed is what every loop has confirmed. A loop that is new, or has died, lacks peers; whoever compares
 *   sees it and sets them again.
 */
import type { CaptureQuestion } from '../model/captured-packet.js';
import { equalJson } from '../model/equal-json.js';
import type { ForwarderState, PeerState } from '../model/objects.js';
import {
  type DataPlane,
  type DataPlaneCounters,
  NEVER,
  type Offloads,
  type PacketCapture,
  type PeerCounters,
} from '../ports.js';
import type { PeerChange } from './peer-rows.js';

export class SeveralLoops implements DataPlane {
  readonly #start: () => DataPlane;
  /** One at least: the first is there before it is known how many are wanted. */
  readonly #loops: [DataPlane, ...DataPlane[]];
  readonly #wakes = new Set<() => void>();

  constructor(start: () => DataPlane) {
    this.#start = start;
    this.#loops = [this.#started()];
  }

  forwarder(): ForwarderState | undefined {
    const [first, ...others] = this.#loops.map((loop) => loop.forwarder());
    return first?.workers === this.#loops.length && others.every((state) => equalJson(state, first))
      ? first
      : undefined;
  }

  peers(): readonly PeerState[] {
    const [first, ...others] = this.#loops;
    return others.reduce<readonly PeerState[]>((common, loop) => {
      const own = new Map(loop.peers().map((peer) => [peer.subnet, peer]));
      return common.filter((peer) => {
        const same = own.get(peer.subnet);
        return same?.publicIp === peer.publicIp && same.port === peer.port;
      });
    }, first.peers());
  }

  async configure(state: ForwarderState, signal: AbortSignal): Promise<void> {
    // First those that are too many: a device of one queue, and a socket by itself, bear no others beside them.
    while (this.#loops.length > state.workers) {
      await this.#loops.at(-1)?.shutDown(signal);
      this.#loops.pop();
    }
    for (let next = 0; next < state.workers; next++) {
      this.#loops[next] ??= this.#started();
      await this.#loops[next]?.configure(state, signal);
    }
  }

  async shutDown(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.shutDown(signal)));
  }

  async updatePeers(change: PeerChange, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.updatePeers(change, signal)));
  }

  counters(): DataPlaneCounters {
    return this.#loops.map((loop) => loop.counters()).reduce(added);
  }

  /** Of the loops there are now; in the order of their times. */
  async capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture> {
    const begun = await Promise.allSettled(this.#loops.map((loop) => loop.capture(question, signal)));
    const captures = begun.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refusal = begun.find((each) => each.status === 'rejected');
    if (refusal !== undefined) {
      // All or none: those that have begun would go on for nobody.
      await Promise.allSettled(captures.map((capture) => capture.end(NEVER)));
      throw refusal.reason;
    }
    return {
      take() {
        const taken = captures.map((capture) => capture.take());
        return {
          packets: taken.flatMap(({ packets }) => packets).sort((left, right) => left.atMs - right.atMs),
          missed: taken.reduce((sum, { missed }) => sum + missed, 0),
        };
      },
      async end(signal) {
        await Promise.all(captures.map((capture) => capture.end(signal)));
      },
    };
  }

  offloads(): Offloads {
    const all = this.#loops.map((loop) => loop.offloads());
    const everywhere = (name: keyof Offloads) => all.every((offloads) => offloads[name]);
    return {
      tso: everywhere('tso'),
      uso: everywhere('uso'),
      udpSegment: everywhere('udpSegment'),
      udpGro: everywhere('udpGro'),
      fastPath: everywhere('fastPath'),
    };
  }

  refusals(): readonly string[] {
    return [...new Set(this.#loops.flatMap((loop) => loop.refusals()))];
  }

  watch(wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#wakes.add(wake);
    signal.addEventListener('abort', () => this.#wakes.delete(wake), { once: true });
  }

  #started(): DataPlane {
    const loop = this.#start();
    loop.watch(() => {
      for (const wake of this.#wakes) wake();
    }, NEVER);
    return loop;
  }
}

function added(left: DataPlaneCounters, right: DataPlaneCounters): DataPlaneCounters {
  const both = (one: Traffic, other: Traffic): Traffic => ({
    packets: one.packets + other.packets,
    bytes: one.bytes + other.bytes,
  });
  const drops = Object.entries(left.drops).map(([reason, count]) => [
    reason,
    count + (right.drops[reason] ?? 0),
  ]);
  const byName = new Map(right.peers.map((peer) => [peer.subnet, peer]));
  return {
    sent: both(left.sent, right.sent),
    received: both(left.received, right.received),
    drops: Object.fromEntries(drops),
    peers: left.peers.flatMap((peer) => {
      const same = byName.get(peer.subnet);
      return same === undefined ? [] : [addedPeer(peer, same)];
    }),
  };
}

type Traffic = DataPlaneCounters['sent'];

function addedPeer(left: PeerCounters, right: PeerCounters): PeerCounters {
  const lastReceivedAt = Math.max(left.lastReceivedAt ?? 0, right.lastReceivedAt ?? 0);
  return {
    subnet: left.subnet,
    sentPackets: left.sentPackets + right.sentPackets,
    sentBytes: left.sentBytes + right.sentBytes,
    receivedPackets: left.receivedPackets + right.receivedPackets,
    receivedBytes: left.receivedBytes + right.receivedBytes,
    drops: left.drops + right.drops,
    ...(lastReceivedAt === 0 ? {} : { lastReceivedAt }),
  };
}
