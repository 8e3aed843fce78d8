/**
 * The packet loop, seen from the control plane: opens the TUN and the socket, hands them to the worker thread,
 * and keeps book of what the loop confirmed.
 *
 * - Descriptors are opened and closed here alone, and closed only once the loop has let go of them.
 * - `forwarder()` and `peers()` tell what the loop confirmed, never what it was asked, and of a device that still is
 *   the one of its name.
 * - One change at a time. A device that need not change stays open; one that cannot be replaced stays in use,
 *   unless it is itself in the way of the new one.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { captureFilterOf } from '../dataplane/capture-filter.js';
import { CaptureRing, captureMemory } from '../dataplane/capture-ring.js';
import { capturedPacket } from '../dataplane/captured.js';
import type { Device, Handle, Report, SocketHandle, TunHandle } from '../dataplane/control.js';
import { Counters, countersMemory } from '../dataplane/counters.js';
import { WithFastPath } from '../dataplane/fast-path/with-fast-path.js';
import type { TapSettings } from '../dataplane/packet-tap.js';
import { type PeerChange, PeerRows, type RowsMessage } from '../dataplane/peer-rows.js';
import { rulesOf } from '../dataplane/rules.js';
import { SeveralLoops } from '../dataplane/several-loops.js';
import type { CaptureQuestion } from '../model/captured-packet.js';
import type { ForwarderState, PeerState } from '../model/objects.js';
import {
  type DataPlane,
  type DataPlaneCounters,
  type Log,
  NEVER,
  type Offloads,
  type PacketCapture,
  SystemError,
} from '../ports.js';
import { systemClock } from './clock.js';
import * as libc from './libc.js';
import { orAborted } from './or-aborted.js';
import { linkIndex, type OpenedSocket, type OpenedTun, openTun, openUdpSocket } from './packet-devices.js';
import { PacketWorker } from './packet-worker.js';
import { SenderFilter } from './sender-filter.js';

/** A killed holder of a TUN or port is gone within 10 ms; one that stays for this long is a conflict. */
const TAKEN_RETRY_MS = 1000;
const TAKEN_EVERY_MS = 20;

interface WantedDevice {
  /** Tells whether another one is wanted. */
  readonly identity: string;
  /** Two that claim the same may not be open at once. */
  readonly claim: string | number;
}

type OpenTun = TunHandle & Pick<OpenedTun, 'link'> & WantedDevice;
type OpenSocket = SocketHandle & WantedDevice;
type OpenDevice = OpenTun | OpenSocket;

interface Devices {
  tun?: OpenTun | undefined;
  socket?: OpenSocket | undefined;
}

export interface DataPlaneOptions {
  readonly log: Log;
  /** The thread starts at once and not when it is first needed. */
  readonly early?: boolean;
}

export function createDataPlane({ log, early = false }: DataPlaneOptions): DataPlane {
  const loops = new SeveralLoops(() => {
    const dataPlane = new WorkerDataPlane(log);
    if (early) dataPlane.start();
    return dataPlane;
  });
  const loadFastPath = async () => (await import('./fast-path.js')).hostFastPath();
  return new WithFastPath(loops, loadFastPath, log, systemClock);
}

class WorkerDataPlane implements DataPlane {
  readonly #log: Log;
  readonly #memory = countersMemory();
  readonly #counters = new Counters(this.#memory);
  readonly #wakes = new Set<() => void>();
  readonly #open = new Set<OpenDevice>();
  /** Those of the open devices that the loop is to use, as it was told. */
  readonly #given: Devices = {};
  #lastGeneration = 0;
  #worker: PacketWorker | undefined;
  #confirmed: ForwarderState | undefined;
  #rows = new PeerRows();
  readonly #filter: SenderFilter;
  /** The capture that packets are shown to. */
  #tap: TapSettings | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(log: Log) {
    this.#log = log;
    this.#filter = new SenderFilter(log);
  }

  start(): void {
    this.#runningWorker();
  }

  forwarder(): ForwarderState | undefined {
    return this.#isAstray() ? undefined : this.#confirmed;
  }

  peers(): readonly PeerState[] {
    return this.#rows.confirmed();
  }

  configure(state: ForwarderState, signal: AbortSignal): Promise<void> {
    return this.#inTurn(signal, () => this.#configure(state, signal));
  }

  updatePeers(change: PeerChange, signal: AbortSignal): Promise<void> {
    return this.#inTurn(signal, () => this.#updatePeers(change, signal));
  }

  shutDown(signal: AbortSignal): Promise<void> {
    return this.#inTurn(signal, async () => this.#worker?.stop(signal));
  }

  counters(): DataPlaneCounters {
    const peers = this.#rows
      .confirmedRows()
      .map(({ subnet, row }) => ({ subnet, ...this.#counters.row(row) }));
    const { drops, ...traffic } = this.#counters.totals();
    return { ...traffic, drops: { ...drops, not_received: this.#filter.drops() }, peers };
  }

  async capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture> {
    const filter = refused('EINVAL', 'capture packets', () => captureFilterOf(question));
    const tap = { filter, memory: captureMemory() };
    const ring = new CaptureRing(tap.memory);
    await this.#inTurn(signal, () => this.#showTo(tap, signal)).catch((error: unknown) => {
      // Not to a loop that takes the place of one that died meanwhile: nobody would end it.
      if (this.#tap === tap) this.#tap = undefined;
      throw error;
    });
    return {
      take: () => ({
        packets: ring.take().map((record) => capturedPacket(record, this.#rows)),
        missed: ring.takeMissed(),
      }),
      // Another capture may have taken its place.
      end: (signal) =>
        this.#inTurn(signal, async () => {
          if (this.#tap === tap) await this.#showTo(undefined, signal);
        }),
    };
  }

  async #showTo(tap: TapSettings | undefined, signal: AbortSignal): Promise<void> {
    const worker = this.#worker;
    if (tap !== undefined && worker === undefined) throw loopHasEnded();
    this.#tap = tap;
    await worker?.request({ kind: 'capture', ...(tap && { tap }) }, () => {}, signal);
  }

  offloads(): Offloads {
    const { tun, socket } = this.#given;
    return {
      tso: tun?.offloads.tso ?? false,
      uso: tun?.offloads.uso ?? false,
      udpSegment: socket?.offloads.segment ?? false,
      udpGro: socket?.offloads.gro ?? false,
      // Whatever comes here has come to the loop.
      fastPath: false,
    };
  }

  /** It does without whatever the kernel refuses. */
  refusals(): readonly string[] {
    return [];
  }

  watch(wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#wakes.add(wake);
    signal.addEventListener('abort', () => this.#wakes.delete(wake), { once: true });
  }

  /** Work that waits its turn ends with the signal too. */
  #inTurn(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(() => {
      signal.throwIfAborted();
      return work();
    });
    this.#turn = done.catch(() => {});
    return orAborted(done, signal);
  }

  async #configure(state: ForwarderState, signal: AbortSignal): Promise<void> {
    refuseIpv6(() => rulesOf(state));
    const { tun: name, workers, bind, offload } = state;
    const isShared = workers > 1;
    const worker = this.#runningWorker();
    const opened: Devices = {};
    try {
      const tun = { identity: `${name} ${isShared} ${offload}`, claim: name };
      if (this.#given.tun?.identity !== tun.identity || this.#isAstray()) {
        opened.tun = await this.#opened('tun', tun, () => openTun(name, isShared, offload), signal);
      }
      const socket = { identity: `${bind.address}:${bind.port} ${isShared} ${offload}`, claim: bind.port };
      if (this.#given.socket?.identity !== socket.identity) {
        const open = () => openUdpSocket(bind.address, bind.port, isShared, offload);
        opened.socket = await this.#opened('socket', socket, open, signal);
      }
      if (this.#worker !== worker) throw loopHasEnded();
    } catch (error) {
      for (const device of Object.values(opened)) this.#close(device);
      throw error;
    }
    const replaced = (Object.keys(opened) as Device[]).map((device) => this.#given[device]);
    Object.assign(this.#given, opened);
    this.#filter.use(this.#given.socket?.fd, state);
    const onConfirmed = () => {
      for (const device of replaced) this.#close(device);
      // A device may have been lost while the loop was being told.
      this.#confirmed = this.#given.tun && this.#given.socket && state;
      this.#wakeAll();
    };
    await worker.request({ kind: 'configure', state, ...handles(opened) }, onConfirmed, signal);
    if (this.#confirmed !== state) {
      throw new SystemError('Cannot configure the packet loop: a device was lost meanwhile', 'ENODEV');
    }
  }

  /** The TUN in use is none that bears the name any more: it was renamed, moved away or replaced. */
  #isAstray(): boolean {
    const { tun } = this.#given;
    return tun !== undefined && linkIndex(tun.link.name) !== tun.link.index;
  }

  /** A new device. When it is taken, ours is let go of if that may be why; then it is tried for a while. */
  async #opened<Opened extends OpenedTun | OpenedSocket>(
    device: Device,
    wanted: WantedDevice,
    open: () => Opened,
    signal: AbortSignal,
  ): Promise<Opened & WantedDevice & Pick<Handle, 'generation'>> {
    const once = () => {
      const opened = { ...open(), generation: ++this.#lastGeneration, ...wanted };
      this.#open.add(opened);
      return opened;
    };
    try {
      return once();
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    if (this.#given[device]?.claim === wanted.claim) await this.#release(device, signal);
    for (let triedMs = 0; triedMs < TAKEN_RETRY_MS; triedMs += TAKEN_EVERY_MS) {
      await sleep(TAKEN_EVERY_MS, undefined, { signal });
      try {
        return once();
      } catch (error) {
        if (!isTaken(error)) throw error;
      }
    }
    return once();
  }

  async #release(device: Device, signal: AbortSignal): Promise<void> {
    const given = this.#given[device];
    if (given === undefined || this.#worker === undefined) return;
    this.#given[device] = undefined;
    this.#confirmed = undefined;
    this.#wakeAll();
    await this.#worker.request({ kind: 'release', device }, () => this.#close(given), signal);
  }

  async #updatePeers(change: PeerChange, signal: AbortSignal): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) throw loopHasEnded();
    if (!this.#rows.hasRoomFor(change)) {
      throw new SystemError('Cannot add peers: the packet loop holds 65,536 at most', 'ENOSPC');
    }
    const messages = refuseIpv6(() => this.#rows.messages(change));
    this.#filter.change(change);
    setMaxListeners(0, signal); // One for each message.
    // All are on their way before the first is awaited: the book already counts with every one of them.
    await Promise.all(messages.map((message) => this.#send(worker, message, signal)));
  }

  #send(worker: PacketWorker, { set, remove, confirm }: RowsMessage, signal: AbortSignal): Promise<void> {
    const onConfirmed = () => {
      confirm();
      this.#wakeAll();
    };
    return worker.request({ kind: 'peers', set, remove }, onConfirmed, signal);
  }

  #runningWorker(): PacketWorker {
    if (this.#worker !== undefined) return this.#worker;
    this.#worker = new PacketWorker(this.#memory, {
      lost: (report) => this.#onLost(report),
      ended: (error) => this.#onEnded(error),
    });
    // A loop that ends again before it has obeyed is followed by another one, which is told too.
    if (this.#tap !== undefined) this.#showTo(this.#tap, NEVER).catch(() => {});
    return this.#worker;
  }

  #onLost({ device, generation, errno }: Extract<Report, { kind: 'lost' }>): void {
    const given = this.#given[device];
    // A report about a device that was replaced meanwhile: it is closed when the loop confirms that.
    if (given?.generation !== generation) return;
    this.#given[device] = undefined;
    this.#close(given);
    this.#confirmed = undefined;
    this.#log.warn({ device, identity: given.identity, error: libc.errnoName(errno) }, 'packet device lost');
    this.#wakeAll();
  }

  #onEnded(error: Error | undefined): void {
    this.#worker = undefined;
    this.#given.tun = undefined;
    this.#given.socket = undefined;
    for (const device of this.#open) this.#close(device);
    this.#confirmed = undefined;
    this.#rows = new PeerRows();
    this.#filter.clear();
    if (error !== undefined) this.#log.error({ error: error.message }, 'packet loop died');
    this.#wakeAll();
  }

  #close(device: OpenDevice | undefined): void {
    if (device === undefined || !this.#open.delete(device)) return;
    this.#filter.forget(device.fd);
    libc.close(device.fd);
  }

  #wakeAll(): void {
    for (const wake of this.#wakes) wake();
  }
}

function handles({ tun, socket }: Devices): { readonly tun?: TunHandle; readonly socket?: SocketHandle } {
  return { ...(tun && { tun }), ...(socket && { socket }) };
}

function isTaken(error: unknown): boolean {
  return error instanceof SystemError && (error.code === 'EBUSY' || error.code === 'EADDRINUSE');
}

function loopHasEnded(): SystemError {
  return new SystemError('Cannot reach the packet loop: it does not run', 'ENOTCONN');
}

function refuseIpv6<T>(make: () => T): T {
  return refused('EAFNOSUPPORT', 'set up the packet loop', make);
}

/** A RangeError of `make` as the SystemError that says what could not be done. */
function refused<T>(code: string, action: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SystemError(`Cannot ${action}: ${cause.message}`, code, { cause });
  }
}
