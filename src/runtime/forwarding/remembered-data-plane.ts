/**
 * A packet loop that is remembered: the next process goes on carrying packets before it has asked the store or the host
 * anything, as kernel routes outlive whoever made them. The reconcilers then find it running and correct what has changed.
 */
import type { Prefix } from '../../model/address.js';
import type { CaptureQuestion } from '../../model/captured-packet.js';
import type { Config } from '../../model/config.js';
import { equalJson } from '../../model/equal-json.js';
import type { ForwarderState, PeerState } from '../../model/objects.js';
import { TrackedList } from '../../model/tracked-list.js';
import type { DataPlane, DataPlaneCounters, Files, Log, Offloads, PacketCapture } from '../../ports.js';
import { changeText, parseRecord, recordText } from './forwarding-record.js';

/** On tmpfs: after a boot there is no device to go on with. */
export function recordPath({ instance }: Config): string {
  return `${instance.runtimeDirectory}/${instance.name}.forwarding.json`;
}

/** The file is written anew when it has grown by a change for every fourth peer, but not for fewer than this. */
const LEAST_CHANGES = 100;

/** As many peers as the packet loop holds, and the changes of a quarter of them, take 4 MiB. */
const MOST_BYTES = 8 * 1024 * 1024;

interface Written {
  readonly config: Config;
  readonly forwarder: ForwarderState;
  readonly peers: TrackedList<PeerState>;
  /** How many rows were added to the file since it was written as a whole. */
  readonly grownBy: number;
}

/**
 * - Written after each change that the loop confirmed; steady state writes nothing.
 * - What cannot be written or resumed costs the head start and nothing else: it is logged, never thrown.
 * - The end of the loop is not remembered: that is when the memory is needed.
 */
export class RememberedDataPlane implements DataPlane {
  readonly #loop: DataPlane;
  readonly #files: Files;
  readonly #log: Log;
  #config: (() => Config) | undefined;
  #written: Written | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(loop: DataPlane, files: Files, log: Log) {
    this.#loop = loop;
    this.#files = files;
    this.#log = log;
  }

  /** From now on, until `signal` aborts, it is remembered what runs, as what `config` says at that time; also after somebody removed the memory. */
  follow(config: () => Config, signal: AbortSignal): void {
    this.#config = config;
    const path = recordPath(config());
    const restore = async () => {
      if ((await this.#files.read(path, MOST_BYTES)) !== undefined) return;
      this.#written = undefined;
      await this.#remember();
    };
    // One that cannot be read is as good as one that cannot be written: that costs the head start alone.
    this.#files.watch([path], () => void restore().catch(() => {}), signal);
  }

  /** Starts the loop with what the last process of this instance left; resolves when it runs, or is not to. */
  async resume(config: Config, signal: AbortSignal): Promise<void> {
    const path = recordPath(config);
    try {
      const record = await this.#files.read(path, MOST_BYTES);
      if (record === undefined) return;
      const memory = parseRecord(record.content);
      if (memory === undefined || !equalJson(memory.config, config)) return;
      const { forwarder, peers } = memory;
      await this.#loop.configure(forwarder, signal);
      await this.#loop.updatePeers({ set: peers, remove: [] }, signal);
      // As a whole with the first change: what was not finished of the file must not stay in its middle.
      this.#written = { config, forwarder, peers: tracked(this.peers()), grownBy: Number.POSITIVE_INFINITY };
      this.#log.info({ subnet: forwarder.subnet, peers: peers.length }, 'forwarding resumed');
    } catch (error) {
      signal.throwIfAborted();
      this.#log.warn({ path, error: String(error) }, 'forwarding not resumed');
    }
  }

  async configure(state: ForwarderState, signal: AbortSignal): Promise<void> {
    await this.#loop.configure(state, signal);
    await this.#remember();
  }

  async updatePeers(change: Parameters<DataPlane['updatePeers']>[0], signal: AbortSignal): Promise<void> {
    await this.#loop.updatePeers(change, signal);
    await this.#remember();
  }

  shutDown(signal: AbortSignal): Promise<void> {
    return this.#loop.shutDown(signal);
  }

  forwarder(): ForwarderState | undefined {
    return this.#loop.forwarder();
  }

  peers(): readonly PeerState[] {
    return this.#loop.peers();
  }

  counters(): DataPlaneCounters {
    return this.#loop.counters();
  }

  capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture> {
    return this.#loop.capture(question, signal);
  }

  offloads(): Offloads {
    return this.#loop.offloads();
  }

  refusals(): readonly string[] {
    return this.#loop.refusals();
  }

  watch(wake: () => void, signal: AbortSignal): void {
    this.#loop.watch(wake, signal);
  }

  /** One after the other: the last state is the one that stays. */
  #remember(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const [config, forwarder, peers] = [this.#config?.(), this.forwarder(), tracked(this.peers())];
    if (config === undefined || forwarder === undefined) return;
    const path = recordPath(config);
    try {
      const grownBy = await this.#writeChange(path, { config, forwarder, peers });
      this.#written = { config, forwarder, peers, grownBy };
    } catch (error) {
      this.#written = undefined;
      this.#log.warn({ path, error: String(error) }, 'forwarding not remembered');
    }
  }

  /** As little as will do; returns by how much the file has grown. */
  async #writeChange(path: string, now: Omit<Written, 'grownBy'>): Promise<number> {
    const before = this.#written;
    const isSame =
      before !== undefined &&
      equalJson(before.config, now.config) &&
      equalJson(before.forwarder, now.forwarder);
    const changed = isSame ? [...now.peers.differences(before.peers)] : [];
    if (isSame && changed.length === 0) return before.grownBy;
    const grownBy = isSame ? before.grownBy + changed.length : Number.POSITIVE_INFINITY;
    if (grownBy > Math.max(LEAST_CHANGES, now.peers.list.length / 4)) {
      await this.#files.write(path, recordText({ ...now, peers: now.peers.list }), 0o600);
      return 0;
    }
    const set = changed.flatMap((key) => now.peers.get(key) ?? []);
    const remove = changed.filter((key) => now.peers.get(key) === undefined) as Prefix[];
    await this.#files.append(path, changeText({ set, remove }));
    return grownBy;
  }
}

/** By subnet. A loop that keeps no tracked list is compared peer by peer. */
function tracked(peers: readonly PeerState[]): TrackedList<PeerState> {
  return (
    TrackedList.of(peers) ??
    TrackedList.empty<PeerState>().edited(peers.map((peer) => [peer.subnet, peer] as const))
  );
}
