/**
 * Shows packets to a capture: devices over the real ones, put in their place while a capture runs, so that the way of the
 * packets knows nothing of it.
 *
 * - A packet is shown once: dropped by its verdict, as it was read; else as it was written or sent, with how that ended.
 * - While it runs every packet is written into the TUN by itself: a super-packet would hide the packets it stands for.
 */
import type { CaptureFilter, Direction } from './capture-filter.js';
import { DIRECTION } from './capture-filter.js';
import { type CaptureRecord, CaptureRing } from './capture-ring.js';
import type { DatagramDevice, TunDevice } from './devices.js';
import { DROP, sendDrop, tunWriteDrop } from './drop-reason.js';
import { type Messages, OWN_ANSWER } from './messages.js';
import type { Now } from './now.js';
import type { PacketBatch } from './packet-batch.js';
import type { PacketMemory } from './packet-memory.js';
import { NO_ROW, type PeerTable } from './peer-table.js';
import type { Rules } from './rules.js';
import { isChecksumInside, isSuperPacket, SuperPacket } from './super-packet.js';
import { dropOf, rowOf, verdictFromNetwork, verdictFromTun } from './verdict.js';

/** A capture as the loop is told of it. */
export interface TapSettings {
  readonly filter: CaptureFilter;
  readonly memory: SharedArrayBuffer;
}

export class PacketTap {
  readonly #tun: TappedTun;
  readonly #socket: TappedSocket;

  constructor(memory: PacketMemory, peers: PeerTable, settings: TapSettings) {
    const show = new Showing(peers, settings);
    this.#tun = new TappedTun(memory, peers, show);
    this.#socket = new TappedSocket(peers, show);
  }

  /** `tun`, watched, for one batch. */
  tun(tun: TunDevice, rules: Rules, now: Now): TunDevice {
    return this.#tun.over(tun, rules, now);
  }

  socket(socket: DatagramDevice, rules: Rules, now: Now): DatagramDevice {
    return this.#socket.over(socket, rules, now);
  }
}

/** Fills the records in, and asks the filter. */
class Showing {
  readonly #peers: PeerTable;
  readonly #filter: CaptureFilter;
  readonly #ring: CaptureRing;
  readonly record: CaptureRecord = {
    epochMs: 0,
    direction: DIRECTION.OUT,
    drop: 0,
    isAnswer: false,
    isDatagram: false,
    row: NO_ROW,
    address: 0,
    port: 0,
    packetBytes: 0,
  };

  constructor(peers: PeerTable, { filter, memory }: TapSettings) {
    this.#peers = peers;
    this.#filter = filter;
    this.#ring = new CaptureRing(memory);
  }

  /** Of the next packet; its other end is its row's peer. */
  fill(now: Now, direction: Direction, row: number, drop: number): void {
    const { record } = this;
    record.epochMs = now.epochMs;
    record.direction = direction;
    record.drop = drop;
    record.row = row === OWN_ANSWER ? NO_ROW : row;
    record.isAnswer = row === OWN_ANSWER;
    record.isDatagram = false;
    record.address = row < 0 ? 0 : this.#peers.publicIp(row);
    record.port = row < 0 ? 0 : this.#peers.port(row);
  }

  /** The packet lies in the pieces from number `piece`. */
  inPieces(messages: Messages, piece: number, packetBytes: number): void {
    const { bytes, pieces } = messages;
    if (!this.#begins(packetBytes)) return;
    let left = packetBytes;
    for (let next = piece; left > 0; next++) {
      const length = Math.min(left, pieces[next * 2 + 1] as number);
      this.#ring.append(bytes, pieces[next * 2] as number, length);
      left -= length;
    }
    this.#ring.end();
  }

  whole(bytes: Uint8Array, at: number, packetBytes: number): void {
    if (!this.#begins(packetBytes)) return;
    this.#ring.append(bytes, at, packetBytes);
    this.#ring.end();
  }

  #begins(packetBytes: number): boolean {
    const { record } = this;
    const { direction, address, leastDrop, mostDrop, snapBytes } = this.#filter;
    record.packetBytes = packetBytes;
    if (direction !== undefined && direction !== record.direction) return false;
    if (address !== undefined && (record.port === 0 || address !== record.address)) return false;
    if (record.drop < leastDrop || record.drop > mostDrop) return false;
    return this.#ring.begin(record, snapBytes);
  }
}

const TAKES_NOTHING = { tcp: false, udp: false } as const;

class TappedTun implements TunDevice {
  readonly takes = TAKES_NOTHING;
  readonly #memory: PacketMemory;
  readonly #peers: PeerTable;
  readonly #showing: Showing;
  readonly #superPacket: SuperPacket;
  #tun!: TunDevice;
  #rules!: Rules;
  #now!: Now;

  constructor(memory: PacketMemory, peers: PeerTable, showing: Showing) {
    this.#memory = memory;
    this.#peers = peers;
    this.#showing = showing;
    this.#superPacket = new SuperPacket(memory);
  }

  over(tun: TunDevice, rules: Rules, now: Now): this {
    this.#tun = tun;
    this.#rules = rules;
    this.#now = now;
    return this;
  }

  read(batch: PacketBatch): number {
    const result = this.#tun.read(batch);
    if (result < 0) return result;
    for (let slot = 0; slot < batch.count; slot++) {
      this.#judge(batch.at[slot] as number, batch.lengths[slot] as number);
    }
    return result;
  }

  /** As outbound.ts does; what goes on is seen again when it is sent. */
  #judge(at: number, length: number): void {
    const { bytes } = this.#memory;
    const isSuper = isSuperPacket(bytes, at);
    const isCuttable = isSuper && this.#superPacket.open(at, length);
    const largestBytes = isCuttable ? this.#superPacket.largestBytes : length;
    const verdict = verdictFromTun(bytes, at, length, largestBytes, this.#rules, this.#peers);
    const isWhole = isSuper ? isCuttable : isChecksumInside(bytes, at, length);
    const drop = dropOf(verdict) || (isWhole ? 0 : DROP.malformed_header_length);
    if (drop === 0) return;
    this.#showing.fill(this.#now, DIRECTION.OUT, rowOf(verdict), drop);
    this.#showing.whole(bytes, at, length);
  }

  write(messages: Messages): void {
    this.#tun.write(messages);
    let piece = 0;
    for (let message = 0; message < messages.count; message++) {
      const errno = messages.errnos[message] as number;
      const row = messages.rows[message] as number;
      this.#showing.fill(this.#now, DIRECTION.IN, row, errno === 0 ? 0 : tunWriteDrop(errno));
      // Behind its virtio-net header.
      this.#showing.record.isDatagram = row !== OWN_ANSWER;
      this.#showing.inPieces(messages, piece + 1, messages.packetBytes[message] as number);
      piece = messages.pieceEnds[message] as number;
    }
  }
}

class TappedSocket implements DatagramDevice {
  readonly #peers: PeerTable;
  readonly #showing: Showing;
  #socket!: DatagramDevice;
  #rules!: Rules;
  #now!: Now;

  constructor(peers: PeerTable, showing: Showing) {
    this.#peers = peers;
    this.#showing = showing;
  }

  over(socket: DatagramDevice, rules: Rules, now: Now): this {
    this.#socket = socket;
    this.#rules = rules;
    this.#now = now;
    return this;
  }

  get mostDatagrams(): number {
    return this.#socket.mostDatagrams;
  }

  receive(batch: PacketBatch): number {
    const result = this.#socket.receive(batch);
    if (result < 0) return result;
    for (let slot = 0; slot < batch.count; slot++) this.#judge(batch, slot);
    return result;
  }

  /** As inbound.ts does; what goes on is seen again when it is written into the TUN. */
  #judge({ bytes, at, lengths, addresses, ports }: PacketBatch, slot: number): void {
    const [from, length] = [at[slot] as number, lengths[slot] as number];
    const [address, port] = [addresses[slot] as number, ports[slot] as number];
    const verdict = verdictFromNetwork(bytes, from, length, address, port, this.#rules, this.#peers);
    if (dropOf(verdict) === 0) return;
    const { record } = this.#showing;
    this.#showing.fill(this.#now, DIRECTION.IN, rowOf(verdict), dropOf(verdict));
    record.isDatagram = true;
    record.address = address;
    record.port = port;
    this.#showing.whole(bytes, from, length);
  }

  send(messages: Messages): void {
    this.#socket.send(messages);
    let piece = 0;
    for (let message = 0; message < messages.count; message++) {
      const errno = messages.errnos[message] as number;
      this.#showMessage(messages, message, piece, errno === 0 ? 0 : sendDrop(errno));
      piece = messages.pieceEnds[message] as number;
    }
  }

  /** Each of its datagrams, whose pieces are one after the other. */
  #showMessage(messages: Messages, message: number, firstPiece: number, drop: number): void {
    const { record } = this.#showing;
    this.#showing.fill(this.#now, DIRECTION.OUT, messages.rows[message] as number, drop);
    record.isDatagram = true;
    record.address = messages.addresses[message] as number;
    record.port = messages.ports[message] as number;
    const datagramBytes = messages.datagramBytes[message] as number;
    let left = messages.packetBytes[message] as number;
    let piece = firstPiece;
    for (let datagram = 0; datagram < (messages.packets[message] as number); datagram++) {
      const bytes = Math.min(left, datagramBytes);
      this.#showing.inPieces(messages, piece, bytes);
      left -= bytes;
      for (let passed = 0; passed < bytes; piece++) passed += messages.pieces[piece * 2 + 1] as number;
    }
  }
}
