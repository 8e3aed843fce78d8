/**
 * A packet loop that is remembered: the next process goes on carrying packets before it has asked the store or the host
 * anything, as kernel routes outlive whoever made them. The reconcilers then find it running and correct what has changed.
 */
import type { Config } from '../model/config.js';
import { equalJson } from '../model/equal-json.js';
import type { ForwarderState, PeerState } from '../model/objects.js';
import type { DataPlane, DataPlaneCounters, Files, Log, Offloads } from '../ports.js';

/** On tmpfs: after a boot there is no device to go on with. */
export function recordPath({ instance }: Config): string {
  return `${instance.runtimeDirectory}/${instance.name}.forwarding.json`;
}

/** Of another one nothing is resumed. */
const FORMAT = 1;

interface Memory {
  readonly format: typeof FORMAT;
  /** Another file is another wish: then nothing is resumed. */
  readonly config: Config;
  readonly forwarder: ForwarderState;
  readonly peers: readonly PeerState[];
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
  #written: Memory | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(loop: DataPlane, files: Files, log: Log) {
    this.#loop = loop;
    this.#files = files;
    this.#log = log;
  }

  /** From now on it is remembered what runs, as what `config` says at that time. */
  follow(config: () => Config): void {
    this.#config = config;
  }

  /** Starts the loop with what the last process of this instance left; resolves when it runs, or is not to. */
  async resume(config: Config, signal: AbortSignal): Promise<void> {
    const path = recordPath(config);
    try {
      const record = await this.#files.read(path);
      if (record === undefined) return;
      const memory = JSON.parse(record.content) as Memory;
      if (memory.format !== FORMAT || !equalJson(memory.config, config)) return;
      await this.#loop.configure(memory.forwarder, signal);
      await this.#loop.updatePeers({ set: memory.peers, remove: [] }, signal);
      this.#written = memory;
      this.#log.info({ subnet: memory.forwarder.subnet, peers: memory.peers.length }, 'forwarding resumed');
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

  offloads(): Offloads {
    return this.#loop.offloads();
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
    const [config, forwarder, peers] = [this.#config?.(), this.forwarder(), this.peers()];
    if (config === undefined || forwarder === undefined) return;
    const memory: Memory = { format: FORMAT, config, forwarder, peers };
    if (equalJson(memory, this.#written)) return;
    const path = recordPath(config);
    try {
      await this.#files.write(path, `${JSON.stringify(memory)}\n`, 0o600);
      this.#written = memory;
    } catch (error) {
      this.#log.warn({ path, error: String(error) }, 'forwarding not remembered');
    }
  }
}
