/**
 * The packet loop without packets, on a FakeKernel: holds its TUN, loses it with the link, and refuses what the
 * real one refuses. Passes the same contract suite.
 */
import { type Address, baseOf, familyOf } from '../../src/model/address.js';
import type { CapturedPacket, CaptureQuestion } from '../../src/model/captured-packet.js';
import type { ForwarderState, PeerState } from '../../src/model/objects.js';
import { TrackedList } from '../../src/model/tracked-list.js';
import {
  type DataPlane,
  type DataPlaneCounters,
  type Offloads,
  type PacketCapture,
  type PeerCounters,
  SystemError,
} from '../../src/ports.js';
import { Refusal } from './fake-fib.js';
import type { FakeKernel } from './fake-kernel.js';

type PeerChange = Parameters<DataPlane['updatePeers']>[0];

const FAKE_VERDICTS: ReadonlySet<string> = new Set(['forwarded', 'dropped', 'no_route']);

interface HeldTun {
  readonly name: string;
  readonly multiQueue: boolean;
  readonly index: number;
  release(): void;
}

export class FakeDataPlane implements DataPlane {
  /** Every change that was asked, in order: `configure flannel0`, `set 10.5.34.0/24`, `remove ...`, `shut down`. */
  readonly log: string[] = [];
  /** Ports that another program has bound. */
  readonly takenPorts = new Set<number>();
  /** Added to what `counters()` gives for a peer. */
  readonly traffic = new Map<string, Partial<PeerCounters>>();
  /** What the next look at a capture finds, and what it has missed. */
  readonly captured: CapturedPacket[] = [];
  missed = 0;
  /** As of a kernel without tcx. */
  refusesFastPath = false;
  readonly #kernel: FakeKernel;
  readonly #wakes = new Set<() => void>();
  #peers = TrackedList.empty<PeerState>();
  #turn: Promise<unknown> = Promise.resolve();
  #isRunning = false;
  #tun: HeldTun | undefined;
  #state: ForwarderState | undefined;

  constructor(kernel: FakeKernel) {
    this.#kernel = kernel;
    kernel.netlink.watch(['link'], () => void this.#loseDeletedTun(), new AbortController().signal);
  }

  forwarder(): ForwarderState | undefined {
    return this.#state;
  }

  peers(): readonly PeerState[] {
    return this.#peers.list;
  }

  configure(state: ForwarderState, signal: AbortSignal): Promise<void> {
    return this.#inTurn(`configure ${state.tun}`, signal, async () => {
      refuseIpv6(state.tunAddress, baseOf(state.subnet), state.publicIp, state.bind.address);
      this.#isRunning = true;
      const tun = await this.#heldTun(state);
      try {
        await this.#bind(state);
      } catch (error) {
        if (tun !== this.#tun) tun.release();
        throw error;
      }
      if (tun !== this.#tun) this.#tun?.release();
      this.#tun = tun;
      this.#state = state;
      this.#wakeAll();
    });
  }

  shutDown(signal: AbortSignal): Promise<void> {
    return this.#inTurn('shut down', signal, async () => this.die());
  }

  updatePeers(change: PeerChange, signal: AbortSignal): Promise<void> {
    const { set, remove } = change;
    const what = [...set.map(({ subnet }) => `set ${subnet}`), ...remove.map((subnet) => `remove ${subnet}`)];
    return this.#inTurn(what.join(', '), signal, async () => {
      if (!this.#isRunning)
        throw new SystemError('Cannot reach the packet loop: it does not run', 'ENOTCONN');
      refuseIpv6(...set.flatMap(({ subnet, publicIp }) => [baseOf(subnet), publicIp]));
      this.#peers = this.#peers.edited([
        ...set.map((peer) => [peer.subnet, peer] as const),
        ...remove.map((subnet) => [subnet, undefined] as const),
      ]);
      this.#wakeAll();
    });
  }

  counters(): DataPlaneCounters {
    const none = { sentPackets: 0, sentBytes: 0, receivedPackets: 0, receivedBytes: 0, drops: 0 };
    return {
      sent: { packets: 0, bytes: 0 },
      received: { packets: 0, bytes: 0 },
      drops: {},
      peers: this.peers().map(({ subnet }) => ({ subnet, ...none, ...this.traffic.get(subnet) })),
    };
  }

  /** Tells what `captured` holds when it is asked; whoever asked is in `log`. */
  async capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture> {
    if (question.verdict !== undefined && !FAKE_VERDICTS.has(question.verdict))
      throw new SystemError(`Cannot capture packets: verdict is "${question.verdict}"`, 'EINVAL');
    await this.#inTurn('capture', signal, async () => {
      if (!this.#isRunning)
        throw new SystemError('Cannot reach the packet loop: it does not run', 'ENOTCONN');
    });
    return {
      take: () => {
        const missed = this.missed;
        this.missed = 0;
        return { packets: this.captured.splice(0), missed };
      },
      end: (signal) => this.#inTurn('end capture', signal, async () => {}),
    };
  }

  offloads(): Offloads {
    const isRunning = this.#state !== undefined;
    const fastPath = !this.refusesFastPath && isRunning && this.#state?.fastPath !== false;
    return { tso: isRunning, uso: isRunning, udpSegment: isRunning, udpGro: isRunning, fastPath };
  }

  refusals(): readonly string[] {
    return this.refusesFastPath ? ['the packet loop carries every packet: no such kernel'] : [];
  }

  watch(wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#wakes.add(wake);
    signal.addEventListener('abort', () => this.#wakes.delete(wake), { once: true });
  }

  /** The loop ends, as when its thread throws. */
  die(): void {
    this.#isRunning = false;
    this.#tun?.release();
    this.#tun = undefined;
    this.#state = undefined;
    this.#peers = TrackedList.empty();
    this.#wakeAll();
  }

  #inTurn(what: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(() => {
      signal.throwIfAborted();
      this.log.push(what);
      return work();
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #heldTun({ tun: name, workers }: ForwarderState): Promise<HeldTun> {
    const multiQueue = workers > 1;
    await this.#loseDeletedTun();
    if (this.#tun?.name === name && this.#tun.multiQueue === multiQueue) return this.#tun;
    const action = `attach to TUN ${name}`;
    const link = (await this.#kernel.netlink.links()).find((one) => one.name === name);
    if (link === undefined)
      throw new SystemError(`Cannot ${action}: there is no such link (ENODEV)`, 'ENODEV');
    if (link.tun?.multiQueue !== multiQueue) throw new SystemError(`Cannot ${action} (EINVAL)`, 'EINVAL');
    if (this.#tun?.name === name) this.#letTunGo();
    try {
      return { name, multiQueue, index: link.index, release: this.#kernel.holdTun(name) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new SystemError(`Cannot ${action}: ${error.message}`, error.code);
    }
  }

  async #bind({ bind: { address, port } }: ForwarderState): Promise<void> {
    const action = `bind UDP socket to ${address}:${port}`;
    const addresses = await this.#kernel.netlink.addresses();
    if (address !== '0.0.0.0' && !addresses.some((one) => one.address === address)) {
      throw new SystemError(`Cannot ${action} (EADDRNOTAVAIL)`, 'EADDRNOTAVAIL');
    }
    if (this.takenPorts.has(port)) throw new SystemError(`Cannot ${action} (EADDRINUSE)`, 'EADDRINUSE');
  }

  async #loseDeletedTun(): Promise<void> {
    const held = this.#tun;
    if (held === undefined) return;
    const links = await this.#kernel.netlink.links();
    const isThere = links.some(({ name, index }) => name === held.name && index === held.index);
    if (!isThere && this.#tun === held) this.#letTunGo();
  }

  #letTunGo(): void {
    this.#tun?.release();
    this.#tun = undefined;
    this.#state = undefined;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wakes) wake();
  }
}

function refuseIpv6(...addresses: readonly Address[]): void {
  const ipv6 = addresses.find((address) => familyOf(address) === 'ipv6');
  if (ipv6 !== undefined)
    throw new SystemError(`Cannot use address "${ipv6}": IPv6, must be IPv4`, 'EAFNOSUPPORT');
}
