/** From the TUN to the peers: judges what was read, cuts super-packets, and sends runs of datagrams. */
import { decrementTtl } from '../wire/ipv4.js';
import type { Answerer } from './answerer.js';
import type { Counters } from './counters.js';
import type { DatagramDevice, TunDevice } from './devices.js';
import { DROP, sendDrop } from './drop-reason.js';
import { Lanes } from './lanes.js';
import { Outbox } from './outbox.js';
import { HEADROOM_BYTES, MOST_PACKET_BYTES, PacketBatch } from './packet-batch.js';
import type { PacketMemory } from './packet-memory.js';
import type { PeerTable } from './peer-table.js';
import type { Rules } from './rules.js';
import { completeChecksum, isSuperPacket, SuperPacket } from './super-packet.js';
import { ANSWER, answerOf, dropOf, rowOf, verdictFromTun } from './verdict.js';

/** Packets between two looks at the control messages: at 5 µs each they take 0.3 ms. */
const BATCH_PACKETS = 64;
/** Room for a few super-packets at a time: they are still in the processor's cache when they are sent. */
const BATCH_BYTES = 4 * (HEADROOM_BYTES + MOST_PACKET_BYTES + 1);

export class Outbound {
  readonly #memory: PacketMemory;
  readonly #peers: PeerTable;
  readonly #counters: Counters;
  readonly #answerer: Answerer;
  readonly #batch: PacketBatch;
  readonly #superPacket: SuperPacket;
  readonly #lanes = new Lanes(BATCH_PACKETS);
  readonly #rows = new Int32Array(BATCH_PACKETS);
  readonly #outbox: Outbox;

  constructor(memory: PacketMemory, peers: PeerTable, counters: Counters, answerer: Answerer) {
    this.#memory = memory;
    this.#peers = peers;
    this.#counters = counters;
    this.#answerer = answerer;
    this.#batch = new PacketBatch(memory, BATCH_BYTES, BATCH_PACKETS);
    this.#superPacket = new SuperPacket(memory);
    this.#outbox = new Outbox(memory);
  }

  /** Forwards one batch. Returns 0, or the errno of a TUN that cannot be read. */
  forward(tun: TunDevice, socket: DatagramDevice | undefined, rules: Rules, nowMs: number): number {
    const batch = this.#batch;
    const result = tun.read(batch);
    if (result < 0) return -result;
    this.#lanes.clear();
    for (let slot = 0; slot < batch.count; slot++) this.#decide(slot, tun, rules, nowMs);
    for (let lane = 0; lane < this.#lanes.count; lane++) this.#putTogether(lane, socket);
    this.#send(socket);
    return 0;
  }

  #decide(slot: number, tun: TunDevice, rules: Rules, nowMs: number): void {
    const { bytes } = this.#memory;
    const at = this.#batch.at[slot] as number;
    const length = this.#batch.lengths[slot] as number;
    const isSuper = isSuperPacket(bytes, at);
    const isCuttable = isSuper && this.#superPacket.open(at, length);
    const largestBytes = isCuttable ? this.#superPacket.largestBytes : length;
    const packets = isCuttable ? this.#superPacket.count : 1;
    const verdict = verdictFromTun(bytes, at, length, largestBytes, rules, this.#peers);
    const row = rowOf(verdict);
    if (dropOf(verdict) !== 0) {
      this.#counters.dropped(row, packets, dropOf(verdict));
      if (answerOf(verdict) === ANSWER.NONE) return;
      this.#answerer.answerTun(answerOf(verdict), bytes.subarray(at, at + length), rules, tun, nowMs);
      return;
    }
    if (isSuper ? !isCuttable : !completeChecksum(this.#memory, at, length)) {
      this.#counters.dropped(row, packets, DROP.malformed_header_length);
      return;
    }
    decrementTtl(bytes, at);
    this.#rows[slot] = row;
    this.#lanes.add(slot, row, 0, 0, 0);
  }

  #putTogether(lane: number, socket: DatagramDevice | undefined): void {
    const row = this.#rows[this.#lanes.first(lane)] as number;
    const address = this.#peers.publicIp(row);
    this.#outbox.address(row, address, this.#peers.port(row), socket?.mostDatagrams ?? 1);
    for (let slot = this.#lanes.first(lane); slot >= 0; slot = this.#lanes.next(slot)) {
      const at = this.#batch.at[slot] as number;
      const length = this.#batch.lengths[slot] as number;
      if (isSuperPacket(this.#memory.bytes, at)) {
        this.#cut(at, length, socket);
      } else {
        this.#makeRoom(socket);
        this.#outbox.add(at, length);
      }
    }
    this.#outbox.finish();
  }

  #cut(at: number, length: number, socket: DatagramDevice | undefined): void {
    const superPacket = this.#superPacket;
    const outbox = this.#outbox;
    superPacket.open(at, length);
    superPacket.prepareHeaders();
    const { count, headerBytes } = superPacket;
    for (let index = 0, run = 0; index < count; index += run) {
      this.#makeRoom(socket);
      const payloadBytes = superPacket.payloadBytes(index);
      run = Math.min(superPacket.sameSized(index), outbox.roomFor(headerBytes, payloadBytes));
      const headersAt = outbox.messages.scratch(run * headerBytes);
      superPacket.writeHeaders(index, run, headersAt);
      outbox.addRun(headersAt, headerBytes, superPacket.payloadAt(index), payloadBytes, run);
    }
  }

  #makeRoom(socket: DatagramDevice | undefined): void {
    if (this.#outbox.messages.isFull) this.#send(socket);
  }

  #send(socket: DatagramDevice | undefined): void {
    this.#outbox.finish();
    const { messages } = this.#outbox;
    socket?.send(messages);
    for (let message = 0; message < messages.count; message++) {
      const row = messages.rows[message] as number;
      const packets = messages.packets[message] as number;
      const errno = messages.errnos[message] as number;
      if (socket === undefined) this.#counters.dropped(row, packets, DROP.socket_absent);
      else if (errno !== 0) this.#counters.dropped(row, packets, sendDrop(errno));
      else this.#counters.sent(row, packets, messages.packetBytes[message] as number);
    }
    messages.clear();
  }
}
