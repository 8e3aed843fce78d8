/**
 * Moves packets between the TUN and the socket as verdict.ts decides, counts them, and tells senders by ICMP
 * what became of the dropped ones. Knows no thread and no control message.
 *
 * - A packet goes whole to the peer of its verdict, or is dropped and counted under one reason.
 * - No call blocks, retries or allocates for a packet.
 * - Without one device the other is drained all the same: nothing old is forwarded later.
 */
import { readI32Be } from '../wire/big-endian.js';
import { decrementTtl, IPV4 } from '../wire/ipv4.js';
import type { Counters } from './counters.js';
import { type DatagramDevice, PacketBatch, type TunDevice } from './devices.js';
import { DROP, sendDrop, tunWriteDrop } from './drop-reason.js';
import { mayAnswer, writeAnswer } from './icmp-answer.js';
import { NO_ROW, type PeerTable } from './peer-table.js';
import { RateLimit } from './rate-limit.js';
import type { Rules } from './rules.js';
import { ANSWER, answerOf, dropOf, rowOf, verdictFromNetwork, verdictFromTun } from './verdict.js';

/** Packets each way between two looks at the control messages: at 10 µs each they take 0.3 ms. */
const BATCH_PACKETS = 32;

/** In place of an errno: the device to write to is absent. */
const NO_DEVICE = -1;

/** Read once per wake-up. */
export interface Now {
  readonly monotonicMs: number;
  readonly epochMs: number;
}

export class Forwarder {
  /** Undefined while there is none. */
  tun: TunDevice | undefined;
  socket: DatagramDevice | undefined;
  /** Undefined until the first configuration: then there are no devices either. */
  rules: Rules | undefined;
  readonly #peers: PeerTable;
  readonly #counters: Counters;
  readonly #outbound = new PacketBatch(BATCH_PACKETS);
  readonly #inbound = new PacketBatch(BATCH_PACKETS);
  /** The peer of each packet of the batch in hand. */
  readonly #rows = new Int32Array(BATCH_PACKETS);
  readonly #answer = new PacketBatch(1);
  readonly #tunLimit = new RateLimit();
  readonly #peerLimit = new RateLimit();

  constructor(peers: PeerTable, counters: Counters) {
    this.#peers = peers;
    this.#counters = counters;
  }

  /** Forwards one batch from the containers to the peers. Returns 0, or the errno of a TUN that cannot be read. */
  forwardFromTun(now: Now): number {
    const { tun, socket, rules } = this;
    if (tun === undefined || rules === undefined) return 0;
    const batch = this.#outbound;
    const result = tun.read(batch);
    if (result < 0) return -result;
    for (let slot = 0; slot < batch.count; slot++) this.#decideOutbound(batch, slot, rules, now);
    if (socket === undefined) batch.errnos.fill(NO_DEVICE);
    else socket.send(batch);
    for (let slot = 0; slot < batch.count; slot++) {
      const bytes = batch.lengths[slot] as number;
      if (bytes === 0) continue;
      const row = this.#rows[slot] as number;
      const errno = batch.errnos[slot] as number;
      if (errno === 0) this.#counters.sent(row, bytes);
      else this.#counters.dropped(row, errno === NO_DEVICE ? DROP.socket_absent : sendDrop(errno));
    }
    return 0;
  }

  /** Forwards one batch from the peers to the containers. Returns 0, or the errno of a socket that cannot be read. */
  forwardFromNetwork(now: Now): number {
    const { tun, socket, rules } = this;
    if (socket === undefined || rules === undefined) return 0;
    const batch = this.#inbound;
    const result = socket.receive(batch);
    if (result < 0) return -result;
    for (let slot = 0; slot < batch.count; slot++) this.#decideInbound(batch, slot, rules, now);
    if (tun === undefined) batch.errnos.fill(NO_DEVICE);
    else tun.write(batch);
    for (let slot = 0; slot < batch.count; slot++) {
      const bytes = batch.lengths[slot] as number;
      if (bytes === 0) continue;
      const row = this.#rows[slot] as number;
      const errno = batch.errnos[slot] as number;
      if (errno === 0) this.#counters.received(row, bytes, now.epochMs);
      else this.#counters.dropped(row, errno === NO_DEVICE ? DROP.tun_absent : tunWriteDrop(errno));
    }
    return 0;
  }

  #decideOutbound(batch: PacketBatch, slot: number, rules: Rules, now: Now): void {
    const packet = batch.slots[slot] as Uint8Array;
    const bytes = batch.lengths[slot] as number;
    const verdict = verdictFromTun(packet, bytes, rules, this.#peers);
    const row = rowOf(verdict);
    this.#rows[slot] = row;
    if (dropOf(verdict) === 0) {
      decrementTtl(packet);
      batch.addresses[slot] = this.#peers.publicIp(row);
      batch.ports[slot] = this.#peers.port(row);
      return;
    }
    this.#counters.dropped(row, dropOf(verdict));
    batch.lengths[slot] = 0;
    if (answerOf(verdict) === ANSWER.NONE || !mayAnswer(packet, bytes)) return;
    if (!this.#tunLimit.allows(readI32Be(packet, IPV4.SOURCE), now.monotonicMs)) return;
    this.#prepareAnswer(answerOf(verdict), packet, rules);
    this.tun?.write(this.#answer);
    this.#countAnswer();
  }

  #decideInbound(batch: PacketBatch, slot: number, rules: Rules, now: Now): void {
    const packet = batch.slots[slot] as Uint8Array;
    const bytes = batch.lengths[slot] as number;
    const from = batch.addresses[slot] as number;
    const verdict = verdictFromNetwork(packet, bytes, from, batch.ports[slot] as number, rules, this.#peers);
    this.#rows[slot] = rowOf(verdict);
    if (dropOf(verdict) === 0) {
      decrementTtl(packet);
      return;
    }
    this.#counters.dropped(rowOf(verdict), dropOf(verdict));
    batch.lengths[slot] = 0;
    if (answerOf(verdict) === ANSWER.NONE || !mayAnswer(packet, bytes)) return;
    // To the host of the container that sent it, which takes it: its source is our TUN address, of our subnet.
    const row = this.#peers.find(readI32Be(packet, IPV4.SOURCE));
    if (row === NO_ROW || !this.#peerLimit.allows(from, now.monotonicMs)) return;
    this.#prepareAnswer(answerOf(verdict), packet, rules);
    this.#answer.addresses[0] = this.#peers.publicIp(row);
    this.#answer.ports[0] = this.#peers.port(row);
    this.socket?.send(this.#answer);
    this.#countAnswer();
  }

  #prepareAnswer(answer: number, packet: Uint8Array, rules: Rules): void {
    this.#answer.count = 1;
    this.#answer.lengths[0] = writeAnswer(this.#answer.slots[0] as Uint8Array, answer, packet, rules);
  }

  #countAnswer(): void {
    if (this.#answer.errnos[0] !== 0) this.#counters.dropped(NO_ROW, DROP.answer_unsent);
  }
}
