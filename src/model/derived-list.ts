/** A list made of another item by item, which remembers what it made: only what changed is made again. */
import { equalJson } from './equal-json.js';
import { TrackedList } from './tracked-list.js';

/** One of these for each list that is derived again and again; the result is the same as without the memory. */
export class DerivedList<In, Out> {
  readonly #keyOf: (item: Out) => string | undefined;
  #context: unknown;
  #from = TrackedList.empty<In>();
  /** Key of what was made → key of what it was made of → what was made: of several the first, in the order of keys, is shown. */
  #made = new Map<string, ReadonlyMap<string, Out>>();
  /** Key of what something was made of → key of what was made. */
  #keys = new Map<string, string>();
  #list = TrackedList.empty<Out>();

  /** `keyOf` tells a key of what is made; what has none has the key of what it was made of. */
  constructor(keyOf: (item: Out) => string | undefined = () => undefined) {
    this.#keyOf = keyOf;
  }

  /**
   * What `make` makes of every item, undefined left out. Beside the item it may use `context` and nothing else, plain
   * JSON: when that is another one all is made anew.
   */
  of(from: TrackedList<In>, context: unknown, make: (item: In) => Out | undefined): TrackedList<Out> {
    if (!equalJson(context, this.#context)) {
      this.#from = TrackedList.empty();
      this.#made = new Map();
      this.#keys = new Map();
      this.#list = TrackedList.empty();
      this.#context = context;
    }
    const changed = new Set<string>();
    for (const key of from.differences(this.#from)) {
      const item = from.get(key);
      this.#note(key, item === undefined ? undefined : make(item), changed);
    }
    this.#list = this.#list.edited([...changed].map((key) => [key, this.#shown(key)]));
    this.#from = from;
    return this.#list;
  }

  /** The same with arrays: one that is no tracked list's is gone through. */
  listOf(from: readonly In[], context: unknown, make: (item: In) => Out | undefined): readonly Out[] {
    const tracked = TrackedList.of(from);
    return tracked === undefined
      ? from.flatMap((item) => make(item) ?? [])
      : this.of(tracked, context, make).list;
  }

  #note(from: string, made: Out | undefined, changed: Set<string>): void {
    const before = this.#keys.get(from);
    if (before !== undefined) {
      const others = new Map([...(this.#made.get(before) ?? [])].filter(([key]) => key !== from));
      if (others.size === 0) this.#made.delete(before);
      else this.#made.set(before, others);
      this.#keys.delete(from);
      changed.add(before);
    }
    if (made === undefined) return;
    const key = this.#keyOf(made) ?? from;
    this.#made.set(key, new Map([...(this.#made.get(key) ?? []), [from, made]]));
    this.#keys.set(from, key);
    changed.add(key);
  }

  #shown(key: string): Out | undefined {
    const made = this.#made.get(key);
    if (made === undefined) return undefined;
    const [first = ''] = [...made.keys()].sort();
    return made.get(first);
  }
}
