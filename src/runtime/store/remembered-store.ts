/**
 * What the store said last, on disk: a host that starts while the store is away makes its plan from that, as it always
 * does, until the store itself answers. Why beside the record of the packet loop: docs/decisions/0013-two-memories.md.
 */
import type { Config, EtcdStoreSection } from '../../model/config.js';
import { equalJson } from '../../model/equal-json.js';
import type { Clock, Files, Log, StoreEntry } from '../../ports.js';
import { confirm, KEPT_MS } from '../forwarding/confirmation.js';
import { Wake } from '../timing/wake.js';
import type { StoreMirror } from './store-mirror.js';

/** On disk: it is for the start after a boot. */
export function rememberedStorePath({ instance }: Config): string {
  return `${instance.stateDirectory}/${instance.name}/store.json`;
}

/** Ten thousand leases take two of them. */
const MOST_BYTES = 16 * 1024 * 1024;
/** A store that answers by then is not anticipated: it knows better. */
const SILENCE_MS = 400;
/** Loading etcd's client takes the processor for that long, and a host that has just booted needs it for its devices. */
const HEAD_START_MS = 500;
/** While the store serves and nothing changes, one write says so. */
const CONFIRM_MS = 3_600_000;
/** Of a thousand changes not each is worth a write. */
const GATHER_MS = 1_000;
const LEAST_GAP_MS = 30_000;

/** Of another one nothing is taken. */
const FORMAT = 1;

/** Where a record was written: another boot has another clock, another network namespace is another host. */
export interface Origin {
  readonly bootId: string;
  readonly networkNamespace: string;
}

interface Memory {
  readonly format: typeof FORMAT;
  readonly origin: Origin;
  readonly store: { readonly endpoints: readonly string[]; readonly prefix: string };
  /** When the store last confirmed it: on the wall clock, and on CLOCK_BOOTTIME of that boot. Milliseconds. */
  readonly confirmedAt: number;
  readonly confirmedMs: number;
  readonly clusterId: string;
  readonly revision: string;
  readonly entries: readonly (readonly [
    key: string,
    value: string,
    createRevision: string,
    modRevision: string,
    lease: string,
  ])[];
}

export interface RememberedStoreDependencies {
  readonly path: string;
  /** See confirmation.ts. */
  readonly confirmationPath: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly log: Log;
  readonly origin: Origin;
  /** Which store it is about, and where it is mirrored. */
  readonly section: EtcdStoreSection;
  readonly mirror: StoreMirror;
}

/**
 * - After a boot it is taken up at once: nothing is on the host that could be newer. Otherwise only when the store does
 *   not answer at once. Never one that is older than KEPT_MS.
 * - Written soon after a change, at most twice a minute, and once an hour while nothing changes.
 * - Nothing is checked against this host's address: without a lease of its own in it, a host does nothing on its account.
 * - What cannot be read or written costs the head start and nothing else.
 */
export class RememberedStore {
  readonly #deps: RememberedStoreDependencies;

  constructor(dependencies: RememberedStoreDependencies) {
    this.#deps = dependencies;
  }

  /** To be awaited before the mirror runs: after a boot, what is remembered comes first. Never rejects. */
  async begin(signal: AbortSignal): Promise<void> {
    await this.#recall('after a boot');
    if (this.#deps.mirror.view() === undefined) return;
    await this.#deps.clock.sleep(HEAD_START_MS, signal).catch(() => {});
  }

  /** Gives the mirror what is remembered when the store is silent, and remembers what it learns, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { mirror } = this.#deps;
    const changed = new Wake();
    const leave = mirror.subscribe(changed.wake);
    try {
      if (mirror.state.status === 'connecting' && mirror.state.error === undefined)
        await changed.wait(this.#deps.clock, SILENCE_MS, signal);
      if (mirror.view() === undefined) await this.#recall('in the same boot');
      await this.#keep(changed, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      leave();
    }
  }

  async #recall(when: 'after a boot' | 'in the same boot'): Promise<void> {
    const { path, files, clock, log, origin, mirror } = this.#deps;
    try {
      const record = await files.read(path, MOST_BYTES);
      if (record === undefined) return;
      const memory = JSON.parse(record.content) as Memory;
      if ((memory.origin.bootId === origin.bootId) !== (when === 'in the same boot')) return;
      const unusable = this.#unusable(memory);
      if (unusable !== undefined) return log.info({ path, reason: unusable }, 'store not recalled');
      const { clusterId, revision, confirmedAt, entries } = memory;
      const snapshot = { clusterId, revision: BigInt(revision), entries: entries.map(entryOf) };
      const ageMs = this.#ageMs(memory);
      mirror.recall(snapshot, confirmedAt, clock.boottimeMs() - ageMs);
      log.warn({ entries: entries.length, ageMs: Math.round(ageMs) }, 'store recalled');
    } catch (error) {
      log.warn({ path, error: String(error) }, 'store not recalled');
    }
  }

  /** Undefined when it can be used; else why not. */
  #unusable(memory: Memory): string | undefined {
    const { origin, section } = this.#deps;
    if (memory.format !== FORMAT) return 'another version wrote it';
    if (!equalJson(memory.store, identityOf(section))) return 'it is of another store';
    const isSameBoot = memory.origin.bootId === origin.bootId;
    if (isSameBoot && memory.origin.networkNamespace !== origin.networkNamespace)
      return 'it is of another network namespace';
    const ageMs = this.#ageMs(memory);
    if (ageMs >= 0 && ageMs <= KEPT_MS) return undefined;
    return `the store confirmed it ${Math.round(ageMs / 60_000)} min ago, must be 0 to ${KEPT_MS / 60_000}`;
  }

  /** Within one boot the wall clock has no say. */
  #ageMs({ origin, confirmedAt, confirmedMs }: Memory): number {
    const { clock } = this.#deps;
    const isSameBoot = origin.bootId === this.#deps.origin.bootId;
    return isSameBoot ? clock.boottimeMs() - confirmedMs : clock.now() - confirmedAt;
  }

  async #keep(changed: Wake, signal: AbortSignal): Promise<void> {
    const { clock, mirror } = this.#deps;
    /** What of it is on disk; `confirmedMs` undefined: nothing yet. */
    let written: { readonly changes: number; readonly confirmedMs: number | undefined } = {
      changes: -1,
      confirmedMs: undefined,
    };
    for (;;) {
      const { status, changes, confirmedMs } = mirror.state;
      const isLive = status === 'live';
      // When it is lost, one write more says until when it was confirmed.
      const isLost = !isLive && written.confirmedMs !== undefined && written.confirmedMs !== confirmedMs;
      const isOld = clock.boottimeMs() - (written.confirmedMs ?? 0) >= CONFIRM_MS;
      if (isLost || (isLive && (written.changes !== changes || isOld))) {
        await this.#write();
        written = { changes, confirmedMs };
        await clock.sleep(LEAST_GAP_MS, signal);
      }
      await changed.wait(clock, CONFIRM_MS, signal);
      await clock.sleep(GATHER_MS, signal);
    }
  }

  async #write(): Promise<void> {
    const { path, files, clock, log, origin, section, mirror } = this.#deps;
    const { clusterId = '', revision, entries, confirmedMs = clock.boottimeMs() } = mirror.state;
    const memory: Memory = {
      format: FORMAT,
      origin,
      store: identityOf(section),
      confirmedAt: clock.now() - (clock.boottimeMs() - confirmedMs),
      confirmedMs,
      clusterId,
      revision: String(revision),
      entries: entries.list.map(rowOf),
    };
    try {
      await files.write(path, `${JSON.stringify(memory)}\n`, 0o600);
      await confirm(this.#deps.confirmationPath, confirmedMs, files);
    } catch (error) {
      log.warn({ path, error: String(error) }, 'store not remembered');
    }
  }
}

function identityOf({ endpoints, prefix }: EtcdStoreSection): Memory['store'] {
  return { endpoints, prefix };
}

function rowOf({ key, value, createRevision, modRevision, lease }: StoreEntry): Memory['entries'][number] {
  return [key, value, String(createRevision), String(modRevision), lease];
}

function entryOf([key, value, createRevision, modRevision, lease]: Memory['entries'][number]): StoreEntry {
  return { key, value, createRevision: BigInt(createRevision), modRevision: BigInt(modRevision), lease };
}
