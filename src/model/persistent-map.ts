/**
 * A map as a value. A changed copy shares with its original all but the way to what changed: it costs the same among
 * a hundred keys and among ten thousand, and what two versions differ in is found without looking at the rest.
 */

/** Three levels of 32 branches: as deep for one key as for a hundred thousand, which are three to a leaf. */
const LEVELS = 3;
const BRANCH_BITS = 5;
const BRANCHES = 1 << BRANCH_BITS;

/** Keys and values by turns: most have one of each. */
type Leaf<V> = readonly (string | V)[];
/** Levels of nodes, then leaves; a part without keys is undefined. */
type Part<V> = Node<V> | Leaf<V> | undefined;
type Node<V> = readonly Part<V>[];

export class PersistentMap<V> {
  readonly #root: Node<V> | undefined;

  private constructor(root: Node<V> | undefined) {
    this.#root = root;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(undefined);
  }

  get(key: string): V | undefined {
    return valueIn(this.#root, key);
  }

  /** A copy in which `key` has `value`; undefined takes it out. */
  with(key: string, value: V | undefined): PersistentMap<V> {
    const draft = this.draft();
    draft.set(key, value);
    return draft.map();
  }

  /** For many changes: they are seen in what it makes, never here. */
  draft(): MapDraft<V> {
    return new MapDraft(this.#root, { mapOf: (root) => new PersistentMap(root) });
  }

  /** The keys whose value here is not the very same there; those of one side alone are among them. */
  *differences(other: PersistentMap<V>): Iterable<string> {
    yield* partDifferences<V>(this.#root, other.#root, 0);
  }
}

interface Maker<V> {
  mapOf(root: Node<V> | undefined): PersistentMap<V>;
}

/** A map in the making: the first change of a part copies it, the next ones change the copy. */
export class MapDraft<V> {
  #root: Node<V> | undefined;
  readonly #maker: Maker<V>;
  /** The nodes that no map has. */
  readonly #own = new Set<Node<V>>();

  constructor(root: Node<V> | undefined, maker: Maker<V>) {
    this.#root = root;
    this.#maker = maker;
  }

  get(key: string): V | undefined {
    return valueIn(this.#root, key);
  }

  /** Undefined takes it out. */
  set(key: string, value: V | undefined): void {
    this.#root = this.#nodeWith(this.#root, hashOf(key), 0, key, value);
  }

  /** What it has become. Later changes leave that alone. */
  map(): PersistentMap<V> {
    this.#own.clear();
    return this.#maker.mapOf(this.#root);
  }

  #nodeWith(
    node: Node<V> | undefined,
    hash: number,
    level: number,
    key: string,
    value: V | undefined,
  ): Node<V> | undefined {
    const branch = branchOf(hash, level);
    const own = this.#ownCopy(node);
    const part = own[branch];
    own[branch] =
      level === LEVELS - 1
        ? leafWith(part as Leaf<V> | undefined, key, value)
        : this.#nodeWith(part as Node<V> | undefined, hash, level + 1, key, value);
    return own[branch] === undefined && own.every((other) => other === undefined) ? undefined : own;
  }

  #ownCopy(node: Node<V> | undefined): Part<V>[] {
    if (node !== undefined && this.#own.has(node)) return node as Part<V>[];
    const copy: Part<V>[] = node?.slice() ?? new Array<Part<V>>(BRANCHES).fill(undefined);
    this.#own.add(copy);
    return copy;
  }
}

function valueIn<V>(root: Node<V> | undefined, key: string): V | undefined {
  const hash = hashOf(key);
  let part: Part<V> = root;
  for (let level = 0; level < LEVELS && part !== undefined; level++) {
    part = (part as Node<V>)[branchOf(hash, level)];
  }
  return part === undefined ? undefined : valueInLeaf(part as Leaf<V>, key);
}

function valueInLeaf<V>(leaf: Leaf<V>, key: string): V | undefined {
  for (let at = 0; at < leaf.length; at += 2) if (leaf[at] === key) return leaf[at + 1] as V;
  return undefined;
}

function leafWith<V>(leaf: Leaf<V> | undefined, key: string, value: V | undefined): Leaf<V> | undefined {
  if (leaf === undefined) return value === undefined ? undefined : [key, value];
  const others = leaf.filter((_, at) => leaf[at & ~1] !== key);
  if (value !== undefined) others.push(key, value);
  return others.length === 0 ? undefined : others;
}

function* partDifferences<V>(left: Part<V>, right: Part<V>, level: number): Iterable<string> {
  if (left === right) return;
  if (level === LEVELS) {
    yield* leafDifferences((left ?? []) as Leaf<V>, (right ?? []) as Leaf<V>);
    return;
  }
  for (let branch = 0; branch < BRANCHES; branch++) {
    yield* partDifferences<V>((left as Node<V>)?.[branch], (right as Node<V>)?.[branch], level + 1);
  }
}

function* leafDifferences<V>(left: Leaf<V>, right: Leaf<V>): Iterable<string> {
  for (const key of keysIn(left)) if (valueInLeaf(left, key) !== valueInLeaf(right, key)) yield key;
  for (const key of keysIn(right)) if (valueInLeaf(left, key) === undefined) yield key;
}

function* keysIn<V>(leaf: Leaf<V>): Iterable<string> {
  for (let at = 0; at < leaf.length; at += 2) yield leaf[at] as string;
}

function branchOf(hash: number, level: number): number {
  return (hash >>> (level * BRANCH_BITS)) & (BRANCHES - 1);
}

/** FNV-1a, 32 bits; the high bits are mixed into the low ones, which choose the branches. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}
