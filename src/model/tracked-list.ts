/**
 * Lists that tell what changed from one to another without being read through. To everybody else they are arrays like any
 * other; whoever works with each item, and remembers what came of it, works with the changed ones alone.
 *
 * What is done for a change does not depend on how long the list is, but for one copy of its memory (10 µs for ten
 * thousand items). docs/decisions/0012-work-for-what-changed.md.
 */
import { PersistentMap } from './persistent-map.js';

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
    const draft = { list: this.list as T[], keys: this.#keys as string[], places: this.#places };
    for (const [key, item] of edits) {
      const place = draft.places.get(key);
      if (place?.item === item) continue;
      if (draft.list === this.list) [draft.list, draft.keys] = [this.list.slice(), this.#keys.slice()];
      if (item !== undefined) put(draft, place?.index ?? draft.list.length, key, item);
      else if (place !== undefined) takeOut(draft, place.index);
    }
    return draft.list === this.list ? this : new TrackedList(draft.list, draft.keys, draft.places);
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
  places: PersistentMap<Place<T>>;
}

function put<T>(draft: Draft<T>, index: number, key: string, item: T): void {
  draft.list[index] = item;
  draft.keys[index] = key;
  draft.places = draft.places.with(key, { index, item });
}

/** The last item moves to the place that becomes free. */
function takeOut<T>(draft: Draft<T>, index: number): void {
  const [key, lastKey, last] = [
    draft.keys[index] as string,
    draft.keys.pop() as string,
    draft.list.pop() as T,
  ];
  if (key !== lastKey) put(draft, index, lastKey, last);
  draft.places = draft.places.with(key, undefined);
}
