/**
 * The loop of the worker thread: waits for packets and control messages, and serves both in turn.
 *
 * - The stop flag is looked at after every wait, and no wait is longer than a second.
 * - One batch each way and a few control messages per turn: neither starves the other.
 * - A device that reports its end is let go of at once, or every later wait would return immediately.
 */
import {
  type ControlMessage,
  type ControlPort,
  type Device,
  decodeRows,
  type Handle,
  type SocketHandle,
  type TunHandle,
} from './control.js';
import type { Counters } from './counters.js';
import type { DatagramDevice, TunDevice } from './devices.js';
import { Forwarder } from './forwarder.js';
import type { Now } from './now.js';
import { PeerTable } from './peer-table.js';
import { rulesOf } from './rules.js';

/** What `wait` found, as bits. GONE: the descriptor will never again be ready for anything. */
export const READY = { CONTROL: 1, TUN: 2, TUN_GONE: 4, SOCKET: 8, SOCKET_GONE: 16 } as const;

export interface PacketIo {
  /** Devices over open descriptors, which stay the caller's to close. */
  tun(handle: TunHandle): TunDevice;
  socket(handle: SocketHandle): DatagramDevice;
  /**
   * Blocks until a wake-up from the control plane, which it consumes, or until a descriptor is ready, or for
   * `timeoutMs`. Returns bits of READY. A descriptor may be NO_DESCRIPTOR.
   */
  wait(tunFd: number, socketFd: number, timeoutMs: number): number;
  now(): Now;
}

export const NO_DESCRIPTOR = -1;

// The back-stop when a wake-up is lost: the process ends within this time whatever its main thread died of.
const LONGEST_WAIT_MS = 1000;
// A message of 1,024 rows takes about 0.3 ms: with two of them a turn stays far below 10 ms.
const MESSAGES_PER_TURN = 2;
const EBADF = 9;
const EBADFD = 77; // what reading a TUN gives once its link was deleted
const ENOTSOCK = 88;

export class PacketLoop {
  readonly #io: PacketIo;
  readonly #control: ControlPort;
  readonly #counters: Counters;
  readonly #peers = new PeerTable();
  readonly #forwarder: Forwarder;
  readonly #handles: Record<Device, Handle | undefined> = { tun: undefined, socket: undefined };
  #hasMessages = false;

  constructor(io: PacketIo, control: ControlPort, counters: Counters) {
    this.#io = io;
    this.#control = control;
    this.#counters = counters;
    this.#forwarder = new Forwarder(this.#peers, counters);
  }

  /** Returns once stopped. */
  run(): void {
    while (!this.#control.isStopped()) this.turn();
  }

  /** Waits once and serves what is ready. */
  turn(): void {
    const { tun, socket } = this.#handles;
    const timeoutMs = this.#hasMessages ? 0 : LONGEST_WAIT_MS;
    const ready = this.#io.wait(tun?.fd ?? NO_DESCRIPTOR, socket?.fd ?? NO_DESCRIPTOR, timeoutMs);
    if (this.#control.isStopped()) return;
    const now = this.#io.now();
    if (ready & READY.SOCKET_GONE) this.#lose('socket', EBADF);
    else if (ready & READY.SOCKET) this.#serveSocket(now);
    if (ready & READY.TUN_GONE) this.#lose('tun', EBADFD);
    // Before the write into the TUN returned the kernel may have put an answer there: looking costs less than a wait
    // that says so.
    else if (ready & (READY.TUN | READY.SOCKET)) this.#serveTun(now);
    // After the packets: the handles that `ready` speaks of are still the ones it was asked about.
    if (ready & READY.CONTROL || this.#hasMessages) this.#serveControl();
  }

  #serveTun(now: Now): void {
    const errno = this.#forwarder.forwardFromTun(now);
    // EBADFD is the only one known; none would be cured by reading on.
    if (errno !== 0) this.#lose('tun', errno);
  }

  #serveSocket(now: Now): void {
    const errno = this.#forwarder.forwardFromNetwork(now);
    // Every other errno is a pending error of the socket, which reading it has cleared (socket(7), SO_ERROR).
    if (errno === EBADF || errno === ENOTSOCK) this.#lose('socket', errno);
  }

  #serveControl(): void {
    for (let served = 0; served < MESSAGES_PER_TURN; served++) {
      const message = this.#control.receive();
      this.#hasMessages = message !== undefined;
      if (message === undefined) return;
      this.#obey(message);
      this.#control.post({ kind: 'done', id: message.id });
    }
  }

  #obey(message: ControlMessage): void {
    switch (message.kind) {
      case 'configure':
        this.#forwarder.rules = rulesOf(message.state);
        if (message.tun !== undefined) {
          this.#handles.tun = message.tun;
          this.#forwarder.tun = this.#io.tun(message.tun);
        }
        if (message.socket !== undefined) {
          this.#handles.socket = message.socket;
          this.#forwarder.socket = this.#io.socket(message.socket);
        }
        return;
      case 'release':
        this.#letGo(message.device);
        return;
      case 'peers':
        for (const row of decodeRows(message.set)) {
          if (!this.#peers.holds(row.row, row)) this.#counters.clearRow(row.row);
          this.#peers.set(row.row, row);
        }
        for (const row of message.remove) this.#peers.remove(row);
        return;
      case 'capture':
        this.#forwarder.showTo(message.tap);
        return;
      default:
        message satisfies never;
    }
  }

  #letGo(device: Device): void {
    this.#handles[device] = undefined;
    this.#forwarder[device] = undefined;
  }

  #lose(device: Device, errno: number): void {
    const handle = this.#handles[device];
    if (handle === undefined) return;
    this.#letGo(device);
    this.#control.post({ kind: 'lost', device, generation: handle.generation, errno });
  }
}
