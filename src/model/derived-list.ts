/** A list made of another item by item, which remembers what it made: only what changed is made again. */
import { equalJson } from './equal-json.js';
import { type Edits, TrackedList } from './tracked-list.js';

/** One of these for each list that is derived again and again; the result is the same as without the memory. */
export class DerivedList<In, Out> {
  #from = TrackedList.empty<In>();
  #context: unknown;
  #made = TrackedList.empty<Out>();

  /**
   * What `make` makes of every item, undefined left out, by the item's key. Beside the item it may use `context` and
   * nothing else, plain JSON: when that is another one all is made anew.
   */
  of(from: TrackedList<In>, context: unknown, make: (item: In) => Out | undefined): TrackedList<Out> {
    if (!equalJson(context, this.#context)) {
      this.#from = TrackedList.empty();
      this.#made = TrackedList.empty();
      this.#context = context;
    }
    this.#made = this.#made.edited(this.#edits(from, make));
    this.#from = from;
    return this.#made;
  }

  /** The same with arrays: one that is no tracked list's is gone through. */
  listOf(from: readonly In[], context: unknown, make: (item: In) => Out | undefined): readonly Out[] {
    const tracked = TrackedList.of(from);
    return tracked === undefined
      ? from.flatMap((item) => make(item) ?? [])
      : this.of(tracked, context, make).list;
  }

  *#edits(from: TrackedList<In>, make: (item: In) => Out | undefined): Edits<Out> {
    for (const key of from.differences(this.#from)) {
      const item = from.get(key);
      yield [key, item === undefined ? undefined : make(item)];
    }
  }
}
