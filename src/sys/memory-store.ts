/** A store in this process's memory, with the store's whole contract: revisions, compare-and-put, watches, leases. */
import {
  type Store,
  type StoreEntry,
  type StoreEvent,
  type StorePut,
  type StoreSnapshot,
  StoreUnavailableError,
  type WatchEnd,
} from '../ports.js';

export interface MemoryStoreOptions {
  readonly description: string;
  readonly clusterId: string;
  /** There from the start, at revision 1. */
  readonly initial?: readonly { readonly key: string; readonly value: string }[];
}

interface Watcher {
  readonly deliver: (events: readonly StoreEvent[]) => void;
  readonly end: (result: WatchEnd) => void;
}

/** Events kept for watches that begin in the past. This host writes a few keys, seldom. */
const HISTORY = 1_000;

/**
 * - A write raises the revision by one; its events carry the new revision.
 * - A watch delivers every event from its first revision on, in order and once, never inside the write itself.
 * - Leases do not expire by themselves: nobody else depends on them.
 */
export class MemoryStore implements Store {
  readonly description: string;
  readonly #clusterId: string;
  readonly #entries = new Map<string, StoreEntry>();
  readonly #leaseTtls = new Map<string, number>();
  readonly #watchers = new Set<Watcher>();
  #history: StoreEvent[] = [];
  #revision = 1n;
  /** Events of this revision and after it are all in the history. */
  #compacted = 1n;
  #leasesGranted = 0;
  #isClosed = false;

  constructor({ description, clusterId, initial = [] }: MemoryStoreOptions) {
    this.description = description;
    this.#clusterId = clusterId;
    for (const { key, value } of initial) {
      this.#entries.set(key, { key, value, createRevision: 1n, modRevision: 1n, lease: '0' });
    }
  }

  async snapshot(signal: AbortSignal): Promise<StoreSnapshot> {
    this.#check(signal);
    return { revision: this.#revision, clusterId: this.#clusterId, entries: [...this.#entries.values()] };
  }

  watch(
    from: bigint,
    onEvents: (events: readonly StoreEvent[]) => void,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    if (signal.aborted) return Promise.resolve({ why: 'aborted' });
    if (this.#isClosed) return Promise.resolve({ why: 'ended' });
    if (from < this.#compacted) return Promise.resolve({ why: 'compacted', revision: this.#compacted });
    return new Promise((settle) => {
      const onAbort = () => watcher.end({ why: 'aborted' });
      const watcher: Watcher = {
        deliver: (events) => {
          queueMicrotask(() => {
            if (this.#watchers.has(watcher)) onEvents(events);
          });
        },
        end: (result) => {
          this.#watchers.delete(watcher);
          signal.removeEventListener('abort', onAbort);
          settle(result);
        },
      };
      this.#watchers.add(watcher);
      signal.addEventListener('abort', onAbort, { once: true });
      const past = this.#history.filter((event) => revisionOf(event) >= from);
      if (past.length > 0) watcher.deliver(past);
    });
  }

  async compareAndPut({ key, value, expected, lease }: StorePut, signal: AbortSignal): Promise<boolean> {
    this.#check(signal);
    const before = this.#entries.get(key);
    if ((before?.modRevision ?? 0n) !== expected) return false;
    if (lease !== '0' && !this.#leaseTtls.has(lease)) {
      throw new StoreUnavailableError(`Cannot write ${key} (${this.description}): the lease is gone`);
    }
    const modRevision = this.#revision + 1n;
    const createRevision = before?.createRevision ?? modRevision;
    this.#commit([{ type: 'put', entry: { key, value, createRevision, modRevision, lease } }]);
    return true;
  }

  async compareAndDelete(key: string, expected: bigint, signal: AbortSignal): Promise<boolean> {
    this.#check(signal);
    const before = this.#entries.get(key);
    if ((before?.modRevision ?? 0n) !== expected) return false;
    if (before !== undefined) this.#commit([{ type: 'delete', key, modRevision: this.#revision + 1n }]);
    return true;
  }

  async grantLease(ttlSeconds: number, signal: AbortSignal): Promise<string> {
    this.#check(signal);
    this.#leasesGranted++;
    const lease = String(this.#leasesGranted);
    this.#leaseTtls.set(lease, ttlSeconds);
    return lease;
  }

  async keepAlive(lease: string, signal: AbortSignal): Promise<number> {
    this.#check(signal);
    return this.#leaseTtls.get(lease) ?? 0;
  }

  async secondsLeft(lease: string, signal: AbortSignal): Promise<number> {
    return this.keepAlive(lease, signal);
  }

  async revokeLease(lease: string, signal: AbortSignal): Promise<void> {
    this.#check(signal);
    this.#leaseTtls.delete(lease);
    const modRevision = this.#revision + 1n;
    const hanging = [...this.#entries.values()].filter((entry) => entry.lease === lease);
    this.#commit(hanging.map(({ key }) => ({ type: 'delete', key, modRevision })));
  }

  /** Forgets the past: a watch from before the present revision is compacted. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#history = this.#history.filter((event) => revisionOf(event) >= this.#compacted);
  }

  /** Ends every watch; the store goes on. */
  endWatches(result: WatchEnd): void {
    for (const watcher of [...this.#watchers]) watcher.end(result);
  }

  async alarms(signal: AbortSignal): Promise<readonly string[]> {
    this.#check(signal);
    return [];
  }

  /** There are none. */
  renew(): void {}

  close(): void {
    this.#isClosed = true;
    this.endWatches({ why: 'ended' });
  }

  #commit(events: readonly StoreEvent[]): void {
    if (events.length === 0) return;
    this.#revision += 1n;
    for (const event of events) {
      if (event.type === 'put') this.#entries.set(event.entry.key, event.entry);
      else this.#entries.delete(event.key);
    }
    this.#history.push(...events);
    if (this.#history.length > HISTORY) this.compact();
    for (const watcher of this.#watchers) watcher.deliver(events);
  }

  #check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#isClosed) throw new StoreUnavailableError(`Cannot use ${this.description}: it was closed`);
  }
}

function revisionOf(event: StoreEvent): bigint {
  return event.type === 'put' ? event.entry.modRevision : event.modRevision;
}
