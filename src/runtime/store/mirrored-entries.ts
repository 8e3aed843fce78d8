/**
 * The store's content put together from lists and events, in whatever order they arrive. Pure bookkeeping;
 * store-mirror.ts does the reading.
 */
import { TrackedList } from '../../model/tracked-list.js';
import type { StoreEntry, StoreEvent, StoreSnapshot } from '../../ports.js';

/**
 * - An event never takes a key back: what is not newer than what is known of the key is ignored.
 * - A list never takes back an event that is newer than the list.
 * - A list of another history (the store was wiped, restored, replaced) replaces everything.
 * - An entry that did not change stays the same object.
 */
export class MirroredEntries {
  #entries = TrackedList.empty<StoreEntry>();
  /** Keys deleted by events since the last list, with the revision: a late put of such a key is ignored. */
  #deleted = new Map<string, bigint>();
  #clusterId: string | undefined;
  #listed = 0n;
  #revision = 0n;

  get clusterId(): string | undefined {
    return this.#clusterId;
  }

  get entries(): TrackedList<StoreEntry> {
    return this.#entries;
  }

  /** The newest revision heard of. A list that is asked for now cannot be older. */
  get revision(): bigint {
    return this.#revision;
  }

  /** The revision of the newest list: a watch begins after it. */
  get listed(): bigint {
    return this.#listed;
  }

  /** `knownBefore` is `revision` as it was when the list was asked for: an older list comes from another history. */
  applyList(
    list: StoreSnapshot,
    knownBefore: bigint,
  ): { readonly hasChanged: boolean; readonly isNewHistory: boolean } {
    const isFirst = this.#clusterId === undefined;
    const isSameHistory = list.clusterId === this.#clusterId && list.revision >= knownBefore;
    // Two lists were on their way and the newer one came first.
    if (isSameHistory && list.revision < this.#listed) return { hasChanged: false, isNewHistory: false };

    const edits = new Map<string, StoreEntry | undefined>(
      this.#entries.list.map(({ key }) => [key, undefined]),
    );
    for (const entry of list.entries) {
      const known = this.#entries.get(entry.key);
      edits.set(entry.key, known !== undefined && isEqual(known, entry) ? known : entry);
    }
    if (isSameHistory) this.#keepNewer(edits, list.revision);
    else this.#deleted.clear();
    const next = this.#entries.edited(edits);
    const hasChanged = isFirst || next !== this.#entries;
    this.#entries = next;
    this.#clusterId = list.clusterId;
    this.#listed = list.revision;
    this.#revision = isSameHistory && this.#revision > list.revision ? this.#revision : list.revision;
    return { hasChanged, isNewHistory: !isFirst && !isSameHistory };
  }

  /** Returns whether anything changed. */
  applyEvents(events: readonly StoreEvent[]): boolean {
    const edits = new Map<string, StoreEntry | undefined>();
    for (const event of events) {
      const { key, modRevision } = event.type === 'put' ? event.entry : event;
      if (modRevision <= this.#known(key, edits.get(key))) continue;
      edits.set(key, event.type === 'put' ? event.entry : undefined);
      if (event.type === 'put') this.#deleted.delete(key);
      else this.#deleted.set(key, modRevision);
      if (modRevision > this.#revision) this.#revision = modRevision;
    }
    const next = this.#entries.edited(edits);
    const hasChanged = next !== this.#entries;
    this.#entries = next;
    return hasChanged;
  }

  /** Up to which revision everything about `key` is known; `newest` is what just became known of it. */
  #known(key: string, newest: StoreEntry | undefined): bigint {
    const known = newest?.modRevision ?? this.#deleted.get(key) ?? this.#entries.get(key)?.modRevision ?? 0n;
    return known > this.#listed ? known : this.#listed;
  }

  #keepNewer(edits: Map<string, StoreEntry | undefined>, listRevision: bigint): void {
    for (const entry of this.#entries.list) if (entry.modRevision > listRevision) edits.set(entry.key, entry);
    for (const [key, revision] of this.#deleted) {
      if (revision > listRevision) edits.set(key, undefined);
      else this.#deleted.delete(key);
    }
  }
}

function isEqual(left: StoreEntry, right: StoreEntry): boolean {
  return (
    left.modRevision === right.modRevision &&
    left.createRevision === right.createRevision &&
    left.lease === right.lease &&
    left.value === right.value
  );
}
