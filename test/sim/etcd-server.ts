/**
 * etcd as one process: revisions, transactions, leases that end by its own clock, watches, backups. It answers at once;
 * what happens on the way is store-line.ts.
 */
import type { StoreEntry, StoreEvent, StorePut, StoreSnapshot, WatchEnd } from '../../src/ports.js';
import type { VirtualTime } from './virtual-time.js';

interface Watcher {
  readonly deliver: (events: readonly StoreEvent[]) => void;
  readonly end: (result: WatchEnd) => void;
}

interface HeldLease {
  readonly ttlSeconds: number;
  expiresMs: number;
  cancel: () => void;
}

interface Content {
  readonly clusterId: string;
  readonly revision: bigint;
  readonly entries: ReadonlyMap<string, StoreEntry>;
  readonly ttls: ReadonlyMap<string, number>;
}

export class EtcdServer {
  /** Called after every change, with what changed; nothing: another history has begun. */
  onChange: (events: readonly StoreEvent[]) => void = () => {};
  readonly #time: VirtualTime;
  readonly #watchers = new Set<Watcher>();
  readonly #leases = new Map<string, HeldLease>();
  #entries = new Map<string, StoreEntry>();
  #history: StoreEvent[] = [];
  #revision = 1n;
  #compacted = 1n;
  #clusterId = '1';
  /** Lease ids are never given twice, whatever is wiped or restored: etcd draws them from 2^63. */
  #granted = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  snapshot(): StoreSnapshot {
    return { revision: this.#revision, clusterId: this.#clusterId, entries: [...this.#entries.values()] };
  }

  entry(key: string): StoreEntry | undefined {
    return this.#entries.get(key);
  }

  /** Ids of the leases that run. */
  leases(): readonly string[] {
    return [...this.#leases.keys()];
  }

  /** When `lease` ends if nobody keeps it alive; undefined when it is gone. */
  expiryOf(lease: string): number | undefined {
    return this.#leases.get(lease)?.expiresMs;
  }

  /** When whoever keeps `lease` alive will refresh it: at a third of its time. */
  renewalOf(lease: string): number {
    const held = this.#leases.get(lease);
    return held === undefined ? Number.POSITIVE_INFINITY : held.expiresMs - (held.ttlSeconds * 2_000) / 3;
  }

  /** `gone`: the etcd lease that the key is to hang on does not exist. */
  put({ key, value, expected, lease }: StorePut): boolean | 'gone' {
    const before = this.#entries.get(key);
    if ((before?.modRevision ?? 0n) !== expected) return false;
    if (lease !== '0' && !this.#leases.has(lease)) return 'gone';
    const modRevision = this.#revision + 1n;
    const createRevision = before?.createRevision ?? modRevision;
    this.#commit([{ type: 'put', entry: { key, value, createRevision, modRevision, lease } }]);
    return true;
  }

  delete(key: string, expected: bigint): boolean {
    const before = this.#entries.get(key);
    if ((before?.modRevision ?? 0n) !== expected) return false;
    if (before !== undefined) this.#commit([{ type: 'delete', key, modRevision: this.#revision + 1n }]);
    return true;
  }

  grant(ttlSeconds: number): string {
    const lease = String(++this.#granted);
    this.#hold(lease, ttlSeconds);
    return lease;
  }

  /** Seconds left; 0 when it is gone. */
  keepAlive(lease: string): number {
    const held = this.#leases.get(lease);
    if (held === undefined) return 0;
    held.cancel();
    this.#hold(lease, held.ttlSeconds);
    return held.ttlSeconds;
  }

  /** 0 when it is gone. */
  secondsLeft(lease: string): number {
    const held = this.#leases.get(lease);
    return held === undefined ? 0 : Math.ceil((held.expiresMs - this.#time.nowMs) / 1000);
  }

  revoke(lease: string): void {
    this.#leases.get(lease)?.cancel();
    this.#leases.delete(lease);
    const modRevision = this.#revision + 1n;
    const hanging = [...this.#entries.values()].filter((entry) => entry.lease === lease);
    this.#commit(hanging.map(({ key }) => ({ type: 'delete', key, modRevision })));
  }

  /** Returns how to end it; `end` is called at most once, never from within this call. */
  watch(from: bigint, deliver: Watcher['deliver'], end: Watcher['end']): () => void {
    const watcher = { deliver, end };
    if (from < this.#compacted) {
      const revision = this.#compacted;
      queueMicrotask(() => end({ why: 'compacted', revision }));
      return () => {};
    }
    this.#watchers.add(watcher);
    const past = this.#history.filter((event) => revisionOf(event) >= from);
    if (past.length > 0) deliver(past);
    return () => this.#watchers.delete(watcher);
  }

  // ---- what operators and faults do ----------------------------------------------------------------------

  endWatches(result: WatchEnd): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const { end } of watchers) end(result);
  }

  compact(): void {
    this.#compacted = this.#revision;
    this.#history = this.#history.filter((event) => revisionOf(event) >= this.#compacted);
  }

  backup(): Content {
    return {
      clusterId: this.#clusterId,
      revision: this.#revision,
      entries: new Map(this.#entries),
      ttls: new Map([...this.#leases].map(([lease, { ttlSeconds }]) => [lease, ttlSeconds])),
    };
  }

  /** As after `etcdctl snapshot restore`: the revision goes back, and the leases of then begin anew. */
  restore({ clusterId, revision, entries, ttls }: Content): void {
    for (const { cancel } of this.#leases.values()) cancel();
    this.#leases.clear();
    for (const [lease, ttlSeconds] of ttls) this.#hold(lease, ttlSeconds);
    this.#entries = new Map(entries);
    this.#history = [];
    this.#revision = revision;
    this.#compacted = revision + 1n;
    this.#clusterId = clusterId;
    this.endWatches({ why: 'ended' });
    this.onChange([]);
  }

  /** An empty data directory. */
  wipe(): void {
    const clusterId = String(Number(this.#clusterId) + 1);
    this.restore({ clusterId, revision: 1n, entries: new Map(), ttls: new Map() });
  }

  #hold(lease: string, ttlSeconds: number): void {
    const ms = ttlSeconds * 1000;
    this.#leases.set(lease, {
      ttlSeconds,
      expiresMs: this.#time.nowMs + ms,
      cancel: this.#time.after(ms, () => this.revoke(lease), undefined, true),
    });
  }

  #commit(events: readonly StoreEvent[]): void {
    if (events.length === 0) return;
    this.#revision += 1n;
    for (const event of events) {
      if (event.type === 'put') this.#entries.set(event.entry.key, event.entry);
      else this.#entries.delete(event.key);
    }
    this.#history.push(...events);
    this.onChange(events);
    for (const { deliver } of [...this.#watchers]) deliver(events);
  }
}

function revisionOf(event: StoreEvent): bigint {
  return event.type === 'put' ? event.entry.modRevision : event.modRevision;
}
