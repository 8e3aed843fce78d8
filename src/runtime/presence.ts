/** Which objects are in place, as the last round of each kind saw it: what `requires` is answered from. */
import { settledKey } from '../model/keys.js';
import { KINDS, type KindName } from '../model/objects.js';
import type { ResourceKey } from '../model/plan.js';

export class Presence {
  readonly #keys = new Map<KindName, ReadonlySet<ResourceKey>>();
  readonly #isSettled: (kind: KindName) => boolean;

  /** `isSettled`: whether nothing of a kind is left to do. */
  constructor(isSettled: (kind: KindName) => boolean) {
    this.#isSettled = isSettled;
  }

  has(key: ResourceKey): boolean {
    for (const keys of this.#keys.values()) if (keys.has(key)) return true;
    return KINDS.some((kind) => key === settledKey(kind) && this.#isSettled(kind));
  }

  /** Returns whether anything came or went. */
  update(kind: KindName, keys: readonly ResourceKey[]): boolean {
    const before = this.#keys.get(kind) ?? new Set();
    this.#keys.set(kind, new Set(keys));
    return before.size !== keys.length || keys.some((key) => !before.has(key));
  }
}
