/**
 * Moves packets between the TUN and the socket as verdict.ts decides, counts them, and tells senders by ICMP
 * what became of the dropped ones. Knows no thread and no control message.
 *
 * - A packet goes whole to the peer of its verdict, or is dropped and counted under one reason.
 * - No call blocks, retries or allocates for a packet.
 * - Packets that are together at once go together; none waits for another.
 * - Without one device the other is drained all the same: nothing old is forwarded later.
 */
import { Answerer } from './answerer.js';
import type { Counters } from './counters.js';
import type { DatagramDevice, TunDevice } from './devices.js';
import { Inbound } from './inbound.js';
import type { Now } from './now.js';
import { Outbound } from './outbound.js';
import { PacketMemory } from './packet-memory.js';
import { PacketTap, type TapSettings } from './packet-tap.js';
import type { PeerTable } from './peer-table.js';
import type { Rules } from './rules.js';

/** Both batches, the headers that are made, and one answer. */
const MEMORY_BYTES = 3 << 20;

export class Forwarder {
  /** Undefined while there is none. */
  tun: TunDevice | undefined;
  socket: DatagramDevice | undefined;
  /** Undefined until the first configuration: then there are no devices either. */
  rules: Rules | undefined;
  readonly #memory = new PacketMemory(MEMORY_BYTES);
  readonly #peers: PeerTable;
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  #tap: PacketTap | undefined;

  constructor(peers: PeerTable, counters: Counters) {
    const memory = this.#memory;
    const answerer = new Answerer(memory, peers, counters);
    this.#peers = peers;
    this.#outbound = new Outbound(memory, peers, counters, answerer);
    this.#inbound = new Inbound(memory, peers, counters, answerer);
  }

  /** Shows the packets to this capture, in place of the last one; undefined: to none. */
  showTo(settings: TapSettings | undefined): void {
    this.#tap = settings && new PacketTap(this.#memory, this.#peers, settings);
  }

  /** Forwards one batch from the containers to the peers. Returns 0, or the errno of a TUN that cannot be read. */
  forwardFromTun(now: Now): number {
    const { tun, socket, rules } = this;
    if (tun === undefined || rules === undefined) return 0;
    const tap = this.#tap;
    if (tap === undefined) return this.#outbound.forward(tun, socket, rules, now.monotonicMs);
    const [shownTun, shownSocket] = [tap.tun(tun, rules, now), socket && tap.socket(socket, rules, now)];
    return this.#outbound.forward(shownTun, shownSocket, rules, now.monotonicMs);
  }

  /** Forwards one batch from the peers to the containers. Returns 0, or the errno of a socket that cannot be read. */
  forwardFromNetwork(now: Now): number {
    const { tun, socket, rules } = this;
    if (socket === undefined || rules === undefined) return 0;
    const tap = this.#tap;
    if (tap === undefined) return this.#inbound.forward(tun, socket, rules, now);
    return this.#inbound.forward(tun && tap.tun(tun, rules, now), tap.socket(socket, rules, now), rules, now);
  }
}
