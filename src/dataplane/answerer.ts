/** Tells senders by ICMP what became of their packets: to containers through the TUN, to peers' over the socket. */
import { readI32Be } from '../wire/big-endian.js';
import { IPV4 } from '../wire/ipv4.js';
import { VIRTIO_NET_HEADER_BYTES, writePlainHeader } from '../wire/virtio-net.js';
import type { Counters } from './counters.js';
import type { DatagramDevice, TunDevice } from './devices.js';
import { DROP } from './drop-reason.js';
import { mayAnswer, writeAnswer } from './icmp-answer.js';
import { Messages, OWN_ANSWER } from './messages.js';
import type { PacketMemory } from './packet-memory.js';
import { NO_ROW, type PeerTable } from './peer-table.js';
import { RateLimit } from './rate-limit.js';
import type { Rules } from './rules.js';

const MOST_ANSWER_BYTES = 576; // RFC 1812, section 4.3.2.3

export class Answerer {
  readonly #peers: PeerTable;
  readonly #counters: Counters;
  readonly #messages: Messages;
  readonly #answer: Uint8Array;
  readonly #answerAt: number;
  readonly #tunLimit = new RateLimit();
  readonly #peerLimit = new RateLimit();

  constructor(memory: PacketMemory, peers: PeerTable, counters: Counters) {
    this.#peers = peers;
    this.#counters = counters;
    this.#messages = new Messages(memory);
    this.#answerAt = memory.reserve(MOST_ANSWER_BYTES);
    this.#answer = memory.bytes.subarray(this.#answerAt, this.#answerAt + MOST_ANSWER_BYTES);
  }

  /** About a packet out of the TUN; `answer` is one of ANSWER. */
  answerTun(answer: number, packet: Uint8Array, rules: Rules, tun: TunDevice, nowMs: number): void {
    if (!mayAnswer(packet, packet.length)) return;
    if (!this.#tunLimit.allows(readI32Be(packet, IPV4.SOURCE), nowMs)) return;
    const messages = this.#messages;
    messages.clear();
    const header = messages.scratch(VIRTIO_NET_HEADER_BYTES);
    writePlainHeader(messages.bytes, header);
    messages.addPiece(header, VIRTIO_NET_HEADER_BYTES);
    this.#endWith(writeAnswer(this.#answer, answer, packet, rules));
    tun.write(messages);
    this.#count();
  }

  /** About a packet that came from the address `from`. */
  answerPeer(
    answer: number,
    packet: Uint8Array,
    from: number,
    rules: Rules,
    socket: DatagramDevice,
    nowMs: number,
  ): void {
    if (!mayAnswer(packet, packet.length)) return;
    // To the host of the container that sent it, which takes it: its source is our TUN address, of our subnet.
    const row = this.#peers.find(readI32Be(packet, IPV4.SOURCE));
    if (row === NO_ROW || !this.#peerLimit.allows(from, nowMs)) return;
    const messages = this.#messages;
    messages.clear();
    this.#endWith(writeAnswer(this.#answer, answer, packet, rules));
    messages.addresses[0] = this.#peers.publicIp(row);
    messages.ports[0] = this.#peers.port(row);
    socket.send(messages);
    this.#count();
  }

  #endWith(length: number): void {
    this.#messages.addPiece(this.#answerAt, length);
    this.#messages.datagramBytes[this.#messages.end(OWN_ANSWER, 1, length)] = length;
  }

  #count(): void {
    if (this.#messages.errnos[0] !== 0) this.#counters.dropped(NO_ROW, 1, DROP.answer_unsent);
  }
}
