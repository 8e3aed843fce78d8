/** What the packet loop of a worker thread has of the system: its devices, a clock, and waiting for packets. */
import koffi from 'koffi';
import type { Now } from '../dataplane/now.js';
import { type PacketIo, READY } from '../dataplane/packet-loop.js';
import { TunQueue } from './tun-queue.js';
import { UdpSocket } from './udp-socket.js';

const libc = koffi.load('libc.so.6');
const read = libc.func('intptr_t read(int fd, void *buffer, size_t bytes)');
const poll = libc.func('int poll(void *fds, unsigned long count, int timeoutMs)');
const clockGettime = libc.func('int clock_gettime(int clock, void *timespec)');

// linux/time.h
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;

// asm-generic values.
const POLLIN = 0x1;
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;

/** For a worker thread that blocks. `eventFd` is what the control plane writes to, to wake it. */
export function createPacketIo(eventFd: number): PacketIo {
  const poller = new Poller(eventFd);
  const time = new Time();
  return {
    tun: ({ fd, offloads }) => new TunQueue(fd, offloads),
    socket: ({ fd, offloads }) => new UdpSocket(fd, offloads),
    wait: (tunFd, socketFd, timeoutMs) => poller.wait(tunFd, socketFd, timeoutMs),
    now: () => time.look(),
  };
}

/** In memory that is made once: what performance.now() and Date.now() return is what a lone packet would allocate. */
class Time implements Now {
  readonly #ms = new Float64Array(2);
  /** struct timespec, of which nanoseconds and, until 2106, seconds are in the low halves. */
  readonly #timespec = new Uint32Array(4);

  get monotonicMs(): number {
    return this.#ms[0] as number;
  }

  get epochMs(): number {
    return this.#ms[1] as number;
  }

  look(): Now {
    this.#read(CLOCK_MONOTONIC, 0);
    this.#read(CLOCK_REALTIME, 1);
    return this;
  }

  #read(clock: number, into: number): void {
    clockGettime(clock, this.#timespec);
    this.#ms[into] = (this.#timespec[0] as number) * 1e3 + (this.#timespec[2] as number) / 1e6;
  }
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
