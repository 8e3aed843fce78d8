/** Which objects are in place, as the last round of each kind saw it: what `requires` is answered from. */
import { settledKey } from '../model/keys.js';
import { KINDS, type KindName } from '../model/objects.js';
import type { ResourceKey } from '../model/plan.js';
import { TrackedList } from '../model/tracked-list.js';

export class Presence {
  readonly #keys = new Map<KindName, TrackedList<ResourceKey>>();
  readonly #asked = new Set<ResourceKey>();
  readonly #isSettled: (kind: KindName) => boolean;

  /** `isSettled`: whether nothing of a kind is left to do. */
  constructor(isSettled: (kind: KindName) => boolean) {
    this.#isSettled = isSettled;
  }

  has(key: ResourceKey): boolean {
    this.#asked.add(key);
    for (const keys of this.#keys.values()) if (keys.get(key) !== undefined) return true;
    return KINDS.some((kind) => key === settledKey(kind) && this.#isSettled(kind));
  }

  /** Returns whether anything came or went that somebody has asked for. */
  update(kind: KindName, keys: readonly ResourceKey[]): boolean {
    const before = this.#keys.get(kind) ?? TrackedList.empty<ResourceKey>();
    const now =
      TrackedList.of(keys) ?? TrackedList.empty<ResourceKey>().edited(keys.map((key) => [key, key]));
    this.#keys.set(kind, now);
    for (const key of now.differences(before)) if (this.#asked.has(key as ResourceKey)) return true;
    return false;
  }
}
