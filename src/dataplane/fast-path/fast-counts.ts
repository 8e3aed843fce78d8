/** What fast paths have carried in all, one after the other, as it is added to what the loops have. */
import type { Prefix } from '../../model/address.js';
import type { DataPlaneCounters, PeerCounters } from '../../ports.js';
import type { CountersBySubnet } from './fast-path.js';
import type { FastCounters } from './tables.js';

const NOTHING: FastCounters = {
  sentPackets: 0,
  sentBytes: 0,
  receivedPackets: 0,
  receivedBytes: 0,
  receivedAtMs: 0,
};

export class FastCounts {
  /** By subnet, of fast paths that are closed. */
  readonly #before = new Map<Prefix, FastCounters>();
  /** Of subnets that nobody has any more. */
  #gone = NOTHING;

  add(subnet: Prefix, counters: FastCounters | undefined): void {
    if (counters !== undefined) this.#before.set(subnet, sum(this.#before.get(subnet), counters));
  }

  addAll(counters: CountersBySubnet): void {
    for (const [subnet, counted] of counters) this.add(subnet, counted);
  }

  /** The subnet is no peer's any more; one that has it later begins at zero. */
  forget(subnet: Prefix): void {
    this.#gone = sum(this.#gone, this.#before.get(subnet));
    this.#before.delete(subnet);
  }

  /** `current` is of the fast path there is. `bootedAtMs` makes times of CLOCK_BOOTTIME such of the wall clock. */
  addedTo(loops: DataPlaneCounters, current: CountersBySubnet, bootedAtMs: number): DataPlaneCounters {
    const { sentPackets, sentBytes, receivedPackets, receivedBytes } = [
      ...this.#before.values(),
      ...current.values(),
    ].reduce(sum, this.#gone);
    return {
      ...loops,
      sent: { packets: loops.sent.packets + sentPackets, bytes: loops.sent.bytes + sentBytes },
      received: {
        packets: loops.received.packets + receivedPackets,
        bytes: loops.received.bytes + receivedBytes,
      },
      peers: loops.peers.map((peer) => {
        const fast = sum(this.#before.get(peer.subnet), current.get(peer.subnet));
        return addedPeer(peer, fast, bootedAtMs);
      }),
    };
  }
}

function sum(left: FastCounters = NOTHING, right: FastCounters = NOTHING): FastCounters {
  return {
    sentPackets: left.sentPackets + right.sentPackets,
    sentBytes: left.sentBytes + right.sentBytes,
    receivedPackets: left.receivedPackets + right.receivedPackets,
    receivedBytes: left.receivedBytes + right.receivedBytes,
    receivedAtMs: Math.max(left.receivedAtMs, right.receivedAtMs),
  };
}

function addedPeer(peer: PeerCounters, fast: FastCounters, bootedAtMs: number): PeerCounters {
  const fastAt = fast.receivedAtMs === 0 ? 0 : Math.round(bootedAtMs + fast.receivedAtMs);
  const lastReceivedAt = Math.max(peer.lastReceivedAt ?? 0, fastAt);
  return {
    ...peer,
    sentPackets: peer.sentPackets + fast.sentPackets,
    sentBytes: peer.sentBytes + fast.sentBytes,
    receivedPackets: peer.receivedPackets + fast.receivedPackets,
    receivedBytes: peer.receivedBytes + fast.receivedBytes,
    ...(lastReceivedAt === 0 ? {} : { lastReceivedAt }),
  };
}
