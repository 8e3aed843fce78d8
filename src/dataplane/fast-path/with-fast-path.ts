/**
 * A data plane with a fast path beside its loops: what the kernel carries by itself does not come to them.
 *
 * - It is there only while the loops are, with the same peers: whatever it does not carry, they do.
 * - Where it is left to us whether there is one, there is none as long as anything on the host would have to see the datagrams.
 * - What refuses it is told once, and tried again now and then; the loops carry every packet meanwhile.
 * - A capture shows every packet, so there is no fast path while one lasts.
 */
import type { Prefix } from '../../model/address.js';
import type { CaptureQuestion } from '../../model/captured-packet.js';
import { equalJson } from '../../model/equal-json.js';
import type { ForwarderState, PeerState } from '../../model/objects.js';
import {
  asError,
  type Clock,
  type DataPlane,
  type DataPlaneCounters,
  type Log,
  NEVER,
  type Offloads,
  type PacketCapture,
} from '../../ports.js';
import type { PeerChange } from '../peer-rows.js';
import { FastCounts } from './fast-counts.js';
import type { FastPath, FastPathHost, FindOnlooker } from './fast-path.js';

/** Links may be replaced under it, and what refused it may have gone. */
const LOOK_EVERY_MS = 5_000;
/** Programs are started to look for onlookers: not while the first packets wait for us, and not for each of many changes. */
const LEAST_PAUSE_MS = 1_000;
/** So looking that takes up to 50 ms takes a hundredth of the time, also where rules change all the time or nobody tells of changes. */
const PAUSE_PER_LOOK = 100;

export class WithFastPath implements DataPlane {
  readonly #loops: DataPlane;
  readonly #load: () => Promise<FastPathHost>;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #counts = new FastCounts();
  #host: FastPathHost | undefined;
  #path: FastPath | undefined;
  /** Whom it knows. */
  readonly #known = new Map<Prefix, PeerState>();
  /** What it was made for. */
  #state: ForwarderState | undefined;
  #captures = 0;
  /** Of peers, that the loops are being told. */
  #changes = 0;
  #refusal = '';
  /** The one that nothing on the host has to look on at. */
  #unseen: ForwarderState | undefined;
  /** Ends the looking. */
  #looking = new AbortController();

  /** `load` is asked once, when a fast path is wanted first: who wants none does not wait for its code. */
  constructor(loops: DataPlane, load: () => Promise<FastPathHost>, log: Log, clock: Clock) {
    this.#loops = loops;
    this.#load = load;
    this.#log = log;
    this.#clock = clock;
    // A loop that has ended has lost its peers, too: it is told them anew, and so is the fast path.
    loops.watch(() => {
      if (this.#path !== undefined && this.#wanted() === undefined) this.#close();
    }, NEVER);
  }

  forwarder(): ForwarderState | undefined {
    return this.#loops.forwarder();
  }

  peers(): readonly PeerState[] {
    return this.#loops.peers();
  }

  async configure(state: ForwarderState, signal: AbortSignal): Promise<void> {
    if (!equalJson(state, this.#state)) this.#close();
    if (!equalJson(state, this.#unseen)) this.#unseen = undefined;
    this.#refusal = '';
    this.#looking.abort();
    this.#looking = new AbortController();
    // Also when the loops do not obey: they may go on as they were, with the fast path that belongs to that.
    if (state.fastPath === true) void this.#lookOn(this.#looking.signal);
    if (state.fastPath === 'auto') void this.#lookOut(state, this.#looking.signal);
    await this.#loops.configure(state, signal);
    if (state.fastPath === true) this.#host ??= await this.#load();
    this.#settle();
  }

  shutDown(signal: AbortSignal): Promise<void> {
    this.#looking.abort();
    this.#unseen = undefined;
    this.#close();
    return this.#loops.shutDown(signal);
  }

  async updatePeers(change: PeerChange, signal: AbortSignal): Promise<void> {
    this.#remove(change.remove);
    this.#changes++;
    try {
      await this.#loops.updatePeers(change, signal);
    } finally {
      this.#changes--;
    }
    this.#guarded((path) => this.#set(path, change.set));
    // An earlier change, which the loops obeyed meanwhile, may have brought one back.
    this.#remove(change.remove);
    for (const subnet of change.remove) this.#counts.forget(subnet);
  }

  counters(): DataPlaneCounters {
    const bootedAtMs = this.#clock.now() - this.#clock.boottimeMs();
    return this.#counts.addedTo(this.#loops.counters(), this.#path?.counters() ?? new Map(), bootedAtMs);
  }

  async capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture> {
    this.#captures++;
    this.#close();
    const over = once(() => {
      this.#captures--;
      this.#settle();
    });
    try {
      const capture = await this.#loops.capture(question, signal);
      return {
        take: () => capture.take(),
        end: (endSignal) => capture.end(endSignal).finally(over),
      };
    } catch (error) {
      over();
      throw error;
    }
  }

  /** One that only makes way for a capture is not refused. */
  offloads(): Offloads {
    const makesWay = this.#captures > 0 && this.#refusal === '' && this.#allowed() !== undefined;
    return { ...this.#loops.offloads(), fastPath: makesWay || this.#path !== undefined };
  }

  refusals(): readonly string[] {
    const isRefused =
      this.#refusal !== '' && this.#path === undefined && this.#loops.forwarder() !== undefined;
    const own = isRefused ? [`the packet loop carries every packet: ${this.#refusal}`] : [];
    return [...this.#loops.refusals(), ...own];
  }

  watch(wake: () => void, signal: AbortSignal): void {
    this.#loops.watch(wake, signal);
  }

  #wanted(): ForwarderState | undefined {
    return this.#captures === 0 ? this.#allowed() : undefined;
  }

  #allowed(): ForwarderState | undefined {
    const state = this.#loops.forwarder();
    const isAllowed =
      state?.fastPath === true || (state?.fastPath === 'auto' && equalJson(state, this.#unseen));
    return isAllowed ? state : undefined;
  }

  async #lookOn(signal: AbortSignal): Promise<void> {
    while (await this.#hasSlept(LOOK_EVERY_MS, signal)) this.#settle();
  }

  /** Where it is left to us whether there is one. */
  async #lookOut(state: ForwarderState, signal: AbortSignal): Promise<void> {
    let find: FindOnlooker | undefined;
    let pauseMs = LEAST_PAUSE_MS;
    let settledMs = Number.NEGATIVE_INFINITY;
    while (await this.#hasSlept(pauseMs, signal)) {
      const startedMs = this.#clock.boottimeMs();
      let trouble: string | undefined;
      try {
        this.#host ??= await this.#load();
        find ??= this.#host.lookOut(state, signal);
        const onlooker = await find();
        if (onlooker !== undefined) trouble = `the fast path would pass by ${onlooker}`;
      } catch (error) {
        trouble = asError(error).message;
      }
      if (signal.aborted) return;
      const wasUnseen = this.#unseen !== undefined;
      this.#unseen = trouble === undefined ? state : undefined;
      if (trouble !== undefined) this.#tell(trouble);
      // All peers are compared, and a kernel that refuses has programs to verify: not with each look.
      if (wasUnseen !== (trouble === undefined) || startedMs - settledMs >= LOOK_EVERY_MS) {
        settledMs = startedMs;
        this.#settle();
      }
      const tookMs = this.#clock.boottimeMs() - startedMs;
      pauseMs = Math.min(Math.max(LEAST_PAUSE_MS, PAUSE_PER_LOOK * tookMs), LOOK_EVERY_MS);
    }
  }

  /** False once it is over. */
  async #hasSlept(ms: number, signal: AbortSignal): Promise<boolean> {
    await this.#clock.sleep(ms, signal).catch(() => {});
    return !signal.aborted;
  }

  #settle(): void {
    try {
      this.#makeTrue();
    } catch (error) {
      this.#tell(asError(error).message);
    }
  }

  #makeTrue(): void {
    if (this.#path?.isInPlace() === false) {
      this.#close();
      // The rules that it would pass by are others now.
      this.#unseen = undefined;
    }
    const wanted = this.#wanted();
    // It may have been made while the loops were being told something else.
    const isRight = equalJson(wanted, this.#state) && this.#agrees();
    if (!isRight) this.#close();
    if (wanted === undefined || this.#path !== undefined || this.#host === undefined) return;
    this.#path = this.#host.open(wanted, () => this.#settle());
    this.#state = wanted;
    this.#refusal = '';
    this.#guarded((path) => this.#set(path, this.#loops.peers()));
  }

  /** The loops may have obeyed what somebody asked for and did not wait for. */
  #agrees(): boolean {
    if (this.#changes > 0) return true;
    const peers = this.#loops.peers();
    return (
      peers.length === this.#known.size &&
      peers.every((peer) => {
        const known = this.#known.get(peer.subnet);
        return known?.publicIp === peer.publicIp && known.port === peer.port;
      })
    );
  }

  #set(path: FastPath, peers: readonly PeerState[]): void {
    for (const peer of peers) {
      this.#counts.add(peer.subnet, path.set(peer));
      this.#known.set(peer.subnet, peer);
    }
  }

  #remove(subnets: readonly Prefix[]): void {
    for (const subnet of subnets) {
      this.#guarded((path) => this.#counts.add(subnet, path.remove(subnet)));
      this.#known.delete(subnet);
    }
  }

  /** A fast path that cannot be changed would be wrong soon. */
  #guarded(change: (path: FastPath) => void): void {
    if (this.#path === undefined) return;
    try {
      change(this.#path);
    } catch (error) {
      this.#close();
      this.#tell(asError(error).message);
    }
  }

  #tell(refusal: string): void {
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    const level = this.#loops.forwarder()?.fastPath === true ? 'warn' : 'info';
    this.#log[level]({ reason: refusal }, 'no fast path: the packet loop carries every packet');
  }

  #close(): void {
    const path = this.#path;
    if (path === undefined) return;
    this.#path = undefined;
    this.#known.clear();
    this.#counts.addAll(path.close());
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
