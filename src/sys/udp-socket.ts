/**
 * The datagram socket, over koffi, on a descriptor that somebody else opens and closes. Nothing here throws,
 * waits or allocates for a packet: a failed call is an errno.
 *
 * - What the kernel refuses to cut (UDP_SEGMENT, udp(7)) is sent again a datagram at a time.
 * - One call brings many messages, and each message many datagrams that the kernel has put together (UDP_GRO).
 */
import koffi from 'koffi';
import type { SocketOffloads } from '../dataplane/control.js';
import type { DatagramDevice } from '../dataplane/devices.js';
import type { Messages } from '../dataplane/messages.js';
import type { PacketBatch } from '../dataplane/packet-batch.js';
import { readI32Be, readU16Be, writeI32Be, writeU16Be } from '../wire/big-endian.js';
import { endOfBatch } from './end-of-batch.js';
import { addressOf, argumentOf, Gather, writeAddress } from './gather.js';

const libc = koffi.load('libc.so.6');
const sendmsg = libc.func('intptr_t sendmsg(int fd, uintptr_t message, int flags)');
const recvmmsg = libc.func(
  'int recvmmsg(int fd, uintptr_t messages, uint32_t count, int flags, uintptr_t timeout)',
);

// asm-generic values.
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL;
const AF_INET = 2;
// What UDP_SEGMENT fails with where single datagrams may pass: a route with a smaller MTU (EINVAL), a way out without
// checksum offload (EIO), something between that knows nothing of it (EOPNOTSUPP). net/ipv4/udp.c.
const EIO = 5;
const EINVAL = 22;
const EMSGSIZE = 90;
const EOPNOTSUPP = 95;

// struct sockaddr_in
const SOCKADDR_BYTES = 16;
const SOCKADDR_PORT = 2;
const SOCKADDR_ADDRESS = 4;

// struct mmsghdr: a struct msghdr and a length. The fields in 32-bit words.
const MESSAGE_WORDS = 16;
const NAME = 0;
const NAME_BYTES = 2;
const VECTORS = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_BYTES = 10;
const MESSAGE_BYTES = 14;

// struct cmsghdr with one number: 8 bytes of length, level, type, then the number, padded to 24 bytes.
const CONTROL_SPACE_BYTES = 24;
const CONTROL_LEVEL = 2;
const CONTROL_TYPE = 3;
const CONTROL_VALUE = 4;
const SEGMENT_CONTROL_BYTES = 18; // its number has 16 bits
const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

/** Messages of one call. */
const MESSAGES = 32;

/** UDP_MAX_SEGMENTS of older kernels, which refuse more. */
const MOST_DATAGRAMS = 64;

export class UdpSocket implements DatagramDevice {
  readonly mostDatagrams: number;
  readonly #fd: number;
  readonly #sender = new Sender();
  readonly #receiver = new Receiver();

  constructor(fd: number, offloads: SocketOffloads) {
    this.#fd = fd;
    this.mostDatagrams = offloads.segment ? MOST_DATAGRAMS : 1;
  }

  receive(batch: PacketBatch): number {
    return this.#receiver.receive(this.#fd, batch);
  }

  send(messages: Messages): void {
    let piece = 0;
    for (let message = 0; message < messages.count; message++) {
      messages.errnos[message] = this.#sender.send(this.#fd, messages, message, piece);
      piece = messages.pieceEnds[message] as number;
    }
  }
}

class Sender {
  readonly #to = new Uint8Array(SOCKADDR_BYTES);
  readonly #control = new Uint32Array(CONTROL_SPACE_BYTES / 4);
  readonly #message = new Uint32Array(MESSAGE_WORDS);
  readonly #gather = new Gather();
  readonly #messageArgument = argumentOf(this.#message);

  constructor() {
    new Uint16Array(this.#to.buffer)[0] = AF_INET;
    this.#control[0] = SEGMENT_CONTROL_BYTES;
    this.#control[CONTROL_LEVEL] = SOL_UDP;
    this.#control[CONTROL_TYPE] = UDP_SEGMENT;
    writeAddress(this.#message, NAME, addressOf(this.#to));
    this.#message[NAME_BYTES] = SOCKADDR_BYTES;
    writeAddress(this.#message, VECTORS, this.#gather.address);
    writeAddress(this.#message, CONTROL, addressOf(this.#control));
  }

  /** Sends one message, whose pieces begin with number `piece`; returns 0 or an errno. */
  send(fd: number, messages: Messages, message: number, piece: number): number {
    writeI32Be(this.#to, SOCKADDR_ADDRESS, messages.addresses[message] as number);
    writeU16Be(this.#to, SOCKADDR_PORT, messages.ports[message] as number);
    const end = messages.pieceEnds[message] as number;
    const datagramBytes = messages.datagramBytes[message] as number;
    const isRun = (messages.packets[message] as number) > 1;
    const errno = this.#sendPieces(fd, messages, piece, end, isRun ? datagramBytes : 0);
    if (!isRun || !isRefusedRun(errno)) return errno;
    return this.#sendEach(fd, messages, piece, end, datagramBytes);
  }

  #sendEach(fd: number, messages: Messages, first: number, end: number, datagramBytes: number): number {
    let firstErrno = 0;
    let from = first;
    let bytes = 0;
    for (let piece = first; piece < end; piece++) {
      bytes += messages.pieces[piece * 2 + 1] as number;
      if (bytes < datagramBytes && piece + 1 < end) continue;
      const errno = this.#sendPieces(fd, messages, from, piece + 1, 0);
      if (firstErrno === 0) firstErrno = errno;
      from = piece + 1;
      bytes = 0;
    }
    return firstErrno;
  }

  /** `segmentBytes` is 0 for one datagram. */
  #sendPieces(fd: number, messages: Messages, from: number, end: number, segmentBytes: number): number {
    this.#message[VECTOR_COUNT] = this.#gather.fill(messages, from, end);
    this.#control[CONTROL_VALUE] = segmentBytes;
    this.#message[CONTROL_BYTES] = segmentBytes === 0 ? 0 : CONTROL_SPACE_BYTES;
    return sendmsg(fd, this.#messageArgument, SEND_FLAGS) < 0 ? koffi.errno() : 0;
  }
}

function isRefusedRun(errno: number): boolean {
  return errno === EINVAL || errno === EIO || errno === EOPNOTSUPP || errno === EMSGSIZE;
}

class Receiver {
  readonly #names = new Uint8Array(MESSAGES * SOCKADDR_BYTES);
  readonly #controls = new Uint32Array((MESSAGES * CONTROL_SPACE_BYTES) / 4);
  readonly #vectors = new Uint32Array(MESSAGES * 4);
  readonly #messages = new Uint32Array(MESSAGES * MESSAGE_WORDS);
  readonly #messagesArgument = argumentOf(this.#messages);
  readonly #controlsAddress = addressOf(this.#controls);
  #batch: PacketBatch | undefined;
  #messageBytes = 0;

  receive(fd: number, batch: PacketBatch): number {
    if (batch !== this.#batch) this.#prepare(batch);
    batch.count = 0;
    const messages = this.#messages;
    for (let next = 0; next < MESSAGES; next++) {
      messages[next * MESSAGE_WORDS + NAME_BYTES] = SOCKADDR_BYTES;
      messages[next * MESSAGE_WORDS + CONTROL_BYTES] = CONTROL_SPACE_BYTES;
    }
    const received = recvmmsg(fd, this.#messagesArgument, MESSAGES, MSG_DONTWAIT, 0) as number;
    if (received < 0) return endOfBatch(batch);
    for (let next = 0; next < received; next++) this.#split(batch, next);
    return batch.count;
  }

  /** Puts the datagrams of message `next` into the batch: of one size, but for the last. */
  #split(batch: PacketBatch, next: number): void {
    const bytes = this.#messages[next * MESSAGE_WORDS + MESSAGE_BYTES] as number;
    const datagramBytes = this.#datagramBytes(next) || bytes;
    const address = readI32Be(this.#names, next * SOCKADDR_BYTES + SOCKADDR_ADDRESS);
    const port = readU16Be(this.#names, next * SOCKADDR_BYTES + SOCKADDR_PORT);
    const from = batch.from + next * this.#messageBytes;
    let at = 0;
    do {
      batch.at[batch.count] = from + at;
      batch.lengths[batch.count] = Math.min(datagramBytes, bytes - at);
      batch.addresses[batch.count] = address;
      batch.ports[batch.count] = port;
      batch.count++;
      at += datagramBytes;
    } while (at < bytes && batch.count < batch.capacity);
  }

  /** As the kernel tells it, which it does only for a message of several; else 0. */
  #datagramBytes(next: number): number {
    if (this.#messages[next * MESSAGE_WORDS + CONTROL_BYTES] === 0) return 0;
    const control = (next * CONTROL_SPACE_BYTES) / 4;
    const isGro =
      this.#controls[control + CONTROL_LEVEL] === SOL_UDP &&
      this.#controls[control + CONTROL_TYPE] === UDP_GRO;
    return isGro ? (this.#controls[control + CONTROL_VALUE] as number) : 0;
  }

  #prepare(batch: PacketBatch): void {
    this.#batch = batch;
    this.#messageBytes = Math.floor((batch.to - batch.from) / MESSAGES);
    const memory = addressOf(batch.bytes);
    const names = addressOf(this.#names);
    const vectors = addressOf(this.#vectors);
    for (let next = 0; next < MESSAGES; next++) {
      writeAddress(this.#vectors, next * 4, memory + batch.from + next * this.#messageBytes);
      this.#vectors[next * 4 + 2] = this.#messageBytes;
      const word = next * MESSAGE_WORDS;
      writeAddress(this.#messages, word + NAME, names + next * SOCKADDR_BYTES);
      writeAddress(this.#messages, word + VECTORS, vectors + next * 16);
      this.#messages[word + VECTOR_COUNT] = 1;
      writeAddress(this.#messages, word + CONTROL, this.#controlsAddress + next * CONTROL_SPACE_BYTES);
    }
  }
}
