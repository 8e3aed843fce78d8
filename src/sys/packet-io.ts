/**
 * The system calls of the packet loop, over koffi, on descriptors that somebody else opens and closes. Nothing
 * here throws, retries or allocates for a packet: a failed call is an errno in the batch.
 */
import { performance } from 'node:perf_hooks';
import koffi from 'koffi';
import type { DatagramDevice, PacketBatch, TunDevice } from '../dataplane/devices.js';
import type { Now } from '../dataplane/forwarder.js';
import { type PacketIo, READY } from '../dataplane/packet-loop.js';
import { readI32Be, readU16Be, writeI32Be, writeU16Be } from '../wire/big-endian.js';

const libc = koffi.load('libc.so.6');
// koffi has no ssize_t; intptr_t is as wide, and comes as a number when it fits.
const read = libc.func('intptr_t read(int fd, void *buffer, size_t bytes)');
const write = libc.func('intptr_t write(int fd, const void *data, size_t bytes)');
const recvfrom = libc.func(
  'intptr_t recvfrom(int fd, void *buffer, size_t bytes, int flags, void *from, void *fromBytes)',
);
const sendto = libc.func(
  'intptr_t sendto(int fd, const void *data, size_t bytes, int flags, const void *to, uint32_t toBytes)',
);
const poll = libc.func('int poll(void *fds, unsigned long count, int timeoutMs)');

// asm-generic values.
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;
const POLLIN = 0x1;
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;
const AF_INET = 2;

// struct sockaddr_in
const SOCKADDR_BYTES = 16;
const SOCKADDR_PORT = 2;
const SOCKADDR_ADDRESS = 4;

/** For a worker thread that blocks. `eventFd` is what the control plane writes to, to wake it. */
export function createPacketIo(eventFd: number): PacketIo {
  const poller = new Poller(eventFd);
  return {
    tun: (fd) => new Tun(fd),
    socket: (fd) => new UdpSocket(fd),
    wait: (tunFd, socketFd, timeoutMs) => poller.wait(tunFd, socketFd, timeoutMs),
    now,
  };
}

function now(): Now {
  return { monotonicMs: performance.now(), epochMs: Date.now() };
}

class Tun implements TunDevice {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(batch: PacketBatch): number {
    batch.count = 0;
    while (batch.count < batch.capacity) {
      const slot = batch.slots[batch.count] as Uint8Array;
      const bytes = read(this.#fd, slot, slot.length) as number;
      if (bytes < 0) return endOfBatch(batch);
      batch.lengths[batch.count++] = bytes;
    }
    return batch.count;
  }

  write(batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index++) {
      const bytes = batch.lengths[index] as number;
      const failed = bytes > 0 && write(this.#fd, batch.slots[index], bytes) < 0;
      batch.errnos[index] = failed ? koffi.errno() : 0;
    }
  }
}

class UdpSocket implements DatagramDevice {
  readonly #fd: number;
  readonly #from = new Uint8Array(SOCKADDR_BYTES);
  readonly #fromBytes = new Uint32Array(1);
  readonly #to = new Uint8Array(SOCKADDR_BYTES);

  constructor(fd: number) {
    this.#fd = fd;
    new Uint16Array(this.#to.buffer)[0] = AF_INET;
  }

  receive(batch: PacketBatch): number {
    batch.count = 0;
    while (batch.count < batch.capacity) {
      const slot = batch.slots[batch.count] as Uint8Array;
      this.#fromBytes[0] = SOCKADDR_BYTES;
      const bytes = recvfrom(
        this.#fd,
        slot,
        slot.length,
        MSG_DONTWAIT,
        this.#from,
        this.#fromBytes,
      ) as number;
      if (bytes < 0) return endOfBatch(batch);
      batch.lengths[batch.count] = bytes;
      batch.addresses[batch.count] = readI32Be(this.#from, SOCKADDR_ADDRESS);
      batch.ports[batch.count] = readU16Be(this.#from, SOCKADDR_PORT);
      batch.count++;
    }
    return batch.count;
  }

  send(batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index++) {
      const bytes = batch.lengths[index] as number;
      batch.errnos[index] = 0;
      if (bytes === 0) continue;
      writeI32Be(this.#to, SOCKADDR_ADDRESS, batch.addresses[index] as number);
      writeU16Be(this.#to, SOCKADDR_PORT, batch.ports[index] as number);
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      if (sendto(this.#fd, batch.slots[index], bytes, flags, this.#to, SOCKADDR_BYTES) < 0) {
        batch.errnos[index] = koffi.errno();
      }
    }
  }
}

/** After a failed read: what was read counts; an error that came first is seen again by the next read, if it lasts. */
function endOfBatch(batch: PacketBatch): number {
  const errno = koffi.errno();
  return batch.count > 0 || errno === EAGAIN || errno === EINTR ? batch.count : -errno;
}

class Poller {
  /** Three struct pollfd: int fd, short events, short revents. */
  readonly #fds = new Int32Array(3 * 2);
  readonly #events = new Int16Array(this.#fds.buffer);
  readonly #eventFd: number;
  readonly #count = new Uint8Array(8);

  constructor(eventFd: number) {
    this.#eventFd = eventFd;
    this.#fds[CONTROL * 2] = eventFd;
    for (const entry of [CONTROL, TUN, SOCKET]) this.#events[entry * 4 + 2] = POLLIN;
  }

  wait(tunFd: number, socketFd: number, timeoutMs: number): number {
    this.#fds[TUN * 2] = tunFd; // poll(2) passes over negative descriptors
    this.#fds[SOCKET * 2] = socketFd;
    const found = poll(this.#fds, 3, timeoutMs) as number;
    // EINTR and the like: the caller looks at its stop flag and waits again.
    if (found <= 0) return 0;
    let ready = 0;
    if (this.#revents(CONTROL) !== 0) {
      read(this.#eventFd, this.#count, this.#count.length);
      ready |= READY.CONTROL;
    }
    const tun = this.#revents(TUN);
    // After its link was deleted a TUN answers POLLERR for ever, never POLLIN.
    if (tun & (POLLERR | POLLHUP | POLLNVAL)) ready |= READY.TUN_GONE;
    else if (tun & POLLIN) ready |= READY.TUN;
    const socket = this.#revents(SOCKET);
    // POLLERR of a socket is a pending error, which the next receive takes.
    if (socket & POLLNVAL) ready |= READY.SOCKET_GONE;
    else if (socket !== 0) ready |= READY.SOCKET;
    return ready;
  }

  #revents(entry: number): number {
    return this.#events[entry * 4 + 3] as number;
  }
}

// Places in the array of struct pollfd.
const CONTROL = 0;
const TUN = 1;
const SOCKET = 2;
