/** From the peers to the TUN: judges each datagram by itself, and writes the packets of one flow together. */
import { headerBytes, IPV4, IPV4_HEADER_BYTES, isWhole, PROTOCOL } from '../wire/ipv4.js';
import type { Answerer } from './answerer.js';
import { Coalescer } from './coalescer.js';
import type { Counters } from './counters.js';
import type { DatagramDevice, TunDevice } from './devices.js';
import { DROP, tunWriteDrop } from './drop-reason.js';
import { Lanes } from './lanes.js';
import type { Now } from './now.js';
import { PacketBatch } from './packet-batch.js';
import type { PacketMemory } from './packet-memory.js';
import { NO_ROW, type PeerTable } from './peer-table.js';
import { RepeatedHeader } from './repeated-header.js';
import type { Rules } from './rules.js';
import { ANSWER, answerOf, dropOf, rowOf, verdictFromNetwork } from './verdict.js';

/** Datagrams that one call may bring: 32 messages of UDP_MAX_SEGMENTS each. */
const BATCH_PACKETS = 32 * 128;
/** Room for 32 messages; not a power of two apart, or all headers would fall into the same few cache lines. */
const BATCH_BYTES = 32 * (65_536 + 1_088);

export class Inbound {
  readonly #memory: PacketMemory;
  readonly #peers: PeerTable;
  readonly #counters: Counters;
  readonly #answerer: Answerer;
  readonly #batch: PacketBatch;
  readonly #lanes = new Lanes(BATCH_PACKETS);
  /** Of the first packet of each lane, at least. */
  readonly #rows = new Int32Array(BATCH_PACKETS);
  readonly #coalescer: Coalescer;
  readonly #header: RepeatedHeader;
  /** The peer of the last datagram. */
  #row = NO_ROW;
  /** What comes behind its header without options: the ports, where there are any. */
  #ports = 0;

  constructor(memory: PacketMemory, peers: PeerTable, counters: Counters, answerer: Answerer) {
    this.#memory = memory;
    this.#peers = peers;
    this.#counters = counters;
    this.#answerer = answerer;
    this.#batch = new PacketBatch(memory, BATCH_BYTES, BATCH_PACKETS);
    this.#coalescer = new Coalescer(memory);
    this.#header = new RepeatedHeader(memory);
  }

  /** Forwards what one call brings. Returns 0, or the errno of a socket that cannot be read. */
  forward(tun: TunDevice | undefined, socket: DatagramDevice, rules: Rules, now: Now): number {
    const batch = this.#batch;
    const result = socket.receive(batch);
    if (result < 0) return -result;
    this.#lanes.clear();
    // Rules and peers may be others than in the last batch.
    this.#header.forget();
    for (let slot = 0; slot < batch.count; slot++) this.#decide(slot, socket, rules, now);
    for (let lane = 0; lane < this.#lanes.count; lane++) this.#putTogether(lane, tun, now);
    this.#write(tun, now);
    return 0;
  }

  #decide(slot: number, socket: DatagramDevice, rules: Rules, now: Now): void {
    const batch = this.#batch;
    const at = batch.at[slot] as number;
    const length = batch.lengths[slot] as number;
    const from = batch.addresses[slot] as number;
    const port = batch.ports[slot] as number;
    if (this.#header.repeats(at, length, from, port)) {
      if (this.#portsAt(at) === this.#ports) {
        this.#lanes.follow(slot);
        return;
      }
    } else if (!this.#passes(at, length, from, port, socket, rules, now)) return;
    this.#addToLane(slot, at);
    this.#ports = this.#portsAt(at);
  }

  /** Whether the datagram may go on. Else counts and answers it. */
  #passes(
    at: number,
    length: number,
    from: number,
    port: number,
    socket: DatagramDevice,
    rules: Rules,
    now: Now,
  ): boolean {
    const { bytes } = this.#memory;
    const verdict = verdictFromNetwork(bytes, at, length, from, port, rules, this.#peers);
    this.#row = rowOf(verdict);
    if (dropOf(verdict) === 0) {
      this.#header.keep(at, length, from, port);
      return true;
    }
    this.#header.forget();
    this.#counters.dropped(this.#row, 1, dropOf(verdict));
    if (answerOf(verdict) !== ANSWER.NONE) {
      const packet = bytes.subarray(at, at + length);
      this.#answerer.answerPeer(answerOf(verdict), packet, from, rules, socket, now.monotonicMs);
    }
    return false;
  }

  #addToLane(slot: number, at: number): void {
    const { bytes, view } = this.#memory;
    const row = this.#row;
    this.#rows[slot] = row;
    const protocol = bytes[at + IPV4.PROTOCOL] as number;
    const hasPorts = (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) && isWhole(bytes, at);
    // In whatever byte order: they are only compared.
    const ports = hasPorts ? view.getInt32(at + headerBytes(bytes, at), true) : 0;
    const source = view.getInt32(at + IPV4.SOURCE, true);
    const destination = view.getInt32(at + IPV4.DESTINATION, true);
    this.#lanes.add(slot, source, destination, ports, (row << 8) | protocol);
  }

  #portsAt(at: number): number {
    return this.#memory.view.getInt32(at + IPV4_HEADER_BYTES, true);
  }

  #putTogether(lane: number, tun: TunDevice | undefined, now: Now): void {
    const first = this.#lanes.first(lane);
    const takes = tun?.takes;
    this.#coalescer.follow(this.#rows[first] as number, takes?.tcp === true, takes?.udp === true);
    for (let slot = first; slot >= 0; slot = this.#lanes.next(slot)) {
      if (this.#coalescer.messages.isFull) this.#write(tun, now);
      this.#coalescer.add(this.#batch.at[slot] as number, this.#batch.lengths[slot] as number);
    }
    this.#coalescer.finish();
  }

  #write(tun: TunDevice | undefined, now: Now): void {
    this.#coalescer.finish();
    const { messages } = this.#coalescer;
    tun?.write(messages);
    for (let message = 0; message < messages.count; message++) {
      const row = messages.rows[message] as number;
      const packets = messages.packets[message] as number;
      const errno = messages.errnos[message] as number;
      if (tun === undefined) this.#counters.dropped(row, packets, DROP.tun_absent);
      else if (errno !== 0) this.#counters.dropped(row, packets, tunWriteDrop(errno));
      else this.#counters.received(row, packets, messages.packetBytes[message] as number, now.epochMs);
    }
    messages.clear();
  }
}
