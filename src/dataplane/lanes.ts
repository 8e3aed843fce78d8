/**
 * Sorts the packets of a batch into lanes: those that must stay in order among themselves, and may go together.
 * Only the last few lanes are looked at; a packet that finds none begins another, after all the others, so its
 * order holds all the same.
 */

const LOOKED_AT = 8;
const NONE = -1;

export class Lanes {
  /** How many lanes there are. */
  count = 0;
  /** Where the last slot went. */
  #lane = 0;
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #next: Int32Array;
  /** Four numbers for each lane. */
  readonly #keys: Int32Array;

  constructor(capacity: number) {
    this.#first = new Int32Array(capacity);
    this.#last = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#keys = new Int32Array(capacity * 4);
  }

  clear(): void {
    this.count = 0;
  }

  /** Puts `slot` at the end of the lane of this key. */
  add(slot: number, a: number, b: number, c: number, d: number): void {
    const lane = this.#find(a, b, c, d);
    if (lane !== NONE) {
      this.#append(slot, lane);
      return;
    }
    this.#next[slot] = NONE;
    const added = this.count++;
    this.#lane = added;
    this.#first[added] = slot;
    this.#last[added] = slot;
    const at = added * 4;
    this.#keys[at] = a;
    this.#keys[at + 1] = b;
    this.#keys[at + 2] = c;
    this.#keys[at + 3] = d;
  }

  /** Puts `slot` where the slot went that was added before it. */
  follow(slot: number): void {
    this.#append(slot, this.#lane);
  }

  #append(slot: number, lane: number): void {
    this.#next[slot] = NONE;
    this.#next[this.#last[lane] as number] = slot;
    this.#last[lane] = slot;
    this.#lane = lane;
  }

  first(lane: number): number {
    return this.#first[lane] as number;
  }

  /** The slot after `slot` in its lane, below 0 after the last. */
  next(slot: number): number {
    return this.#next[slot] as number;
  }

  #find(a: number, b: number, c: number, d: number): number {
    const keys = this.#keys;
    const end = Math.max(0, this.count - LOOKED_AT);
    for (let lane = this.count - 1; lane >= end; lane--) {
      const at = lane * 4;
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return lane;
    }
    return NONE;
  }
}
