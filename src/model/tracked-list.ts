/**
 * Lists that tell what changed from one to another without being read through. To everybody else they are arrays like any
 * other; whoever works with each item, and remembers what came of it, works with the changed ones alone.
 *
 * What is done for a change does not depend on how long the list is, but for one copy of its memory (20 µs for ten
 * thousand items). docs/decisions/0012-work-for-what-changed.md.
 */
import { type MapDraft, PersistentMap } from './persistent-map.js';

interface Place<T> {
  readonly index: number;
  readonly item: T;
}

/** Key → item to put there, undefined to take away what is there. */
export type Edits<T> = Iterable<readonly [key: string, item: T | undefined]>;

const TRACKED = new WeakMap<readonly unknown[], TrackedList<unknown>>();

/** One state of a list; `edited` makes another. */
export class TrackedList<T> {
  /** In no particular order. */
  readonly list: readonly T[];
  /** Of each item, at the same index. */
  readonly #keys: readonly string[];
  readonly #places: PersistentMap<Place<T>>;

  private constructor(list: readonly T[], keys: readonly string[], places: PersistentMap<Place<T>>) {
    this.list = list;
    this.#keys = keys;
    this.#places = places;
    TRACKED.set(list, this);
  }

  static empty<T>(): TrackedList<T> {
    return new TrackedList<T>([], [], PersistentMap.empty());
  }

  /** The state that `list` belongs to; undefined for a list that somebody else made. */
  static of<T>(list: readonly T[]): TrackedList<T> | undefined {
    return TRACKED.get(list) as TrackedList<T> | undefined;
  }

  get(key: string): T | undefined {
    return this.#places.get(key)?.item;
  }

  /** This state itself when nothing changes. */
  edited(edits: Edits<T>): TrackedList<T> {
    let draft: Draft<T> | undefined;
    for (const [key, item] of edits) {
      const place = draft === undefined ? this.#places.get(key) : draft.places.get(key);
      if (place?.item === item) continue;
      draft ??= { list: this.list.slice(), keys: this.#keys.slice(), places: this.#places.draft() };
      if (item !== undefined) put(draft, place?.index ?? draft.list.length, key, item);
      else if (place !== undefined) takeOut(draft, place.index);
    }
    return draft === undefined ? this : new TrackedList(draft.list, draft.keys, draft.places.map());
  }

  /** The keys of the items that are not the very same in both; against an empty list in this one's order. */
  *differences(other: TrackedList<T>): Iterable<string> {
    if (other.list.length === 0) {
      yield* this.#keys;
      return;
    }
    for (const key of this.#places.differences(other.#places)) {
      // One that was only moved has not changed.
      if (this.get(key) !== other.get(key)) yield key;
    }
  }
}

interface Draft<T> {
  readonly list: T[];
  readonly keys: string[];
  readonly places: MapDraft<Place<T>>;
}

function put<T>({ list, keys, places }: Draft<T>, index: number, key: string, item: T): void {
  list[index] = item;
  keys[index] = key;
  places.set(key, { index, item });
}

/** The last item moves to the place that becomes free. */
function takeOut<T>(draft: Draft<T>, index: number): void {
  const { list, keys, places } = draft;
  const key = keys[index] as string;
  const [lastKey, last] = [keys.pop() as string, list.pop() as T];
  if (index !== list.length) put(draft, index, lastKey, last);
  places.set(key, undefined);
}
