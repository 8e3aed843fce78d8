/** Which objects are in place, as the last round of each kind saw it: what `requires` is answered from. */
import { settledKey } from '../../model/keys.js';
import { KINDS, type KindName } from '../../model/objects.js';
import type { ResourceKey } from '../../model/plan.js';
import { TrackedList } from '../../model/tracked-list.js';

export class Presence {
  readonly #keys = new Map<KindName, TrackedList<ResourceKey>>();
  /** Who has asked for what. */
  readonly #asked = new Map<ResourceKey, Set<KindName>>();
  readonly #isSettled: (kind: KindName) => boolean;

  /** `isSettled`: whether nothing of a kind is left to do. */
  constructor(isSettled: (kind: KindName) => boolean) {
    this.#isSettled = isSettled;
  }

  /** `asker` is named by `update` when the object comes, and when it goes: then it has to ask anew. */
  has(key: ResourceKey, asker: KindName): boolean {
    const askers = this.#asked.get(key);
    if (askers === undefined) this.#asked.set(key, new Set([asker]));
    else askers.add(asker);
    for (const keys of this.#keys.values()) if (keys.get(key) !== undefined) return true;
    return KINDS.some((kind) => key === settledKey(kind) && this.#isSettled(kind));
  }

  /** Returns those who have asked for something that came or went. */
  update(kind: KindName, keys: readonly ResourceKey[]): ReadonlySet<KindName> {
    const before = this.#keys.get(kind) ?? TrackedList.empty<ResourceKey>();
    const now =
      TrackedList.of(keys) ?? TrackedList.empty<ResourceKey>().edited(keys.map((key) => [key, key]));
    this.#keys.set(kind, now);
    const concerned = new Set<KindName>();
    for (const changed of now.differences(before)) {
      const key = changed as ResourceKey;
      for (const asker of this.#asked.get(key) ?? []) concerned.add(asker);
      // Peers come and go for as long as the daemon lives: what nobody asks for any more is not kept.
      if (now.get(key) === undefined) this.#asked.delete(key);
    }
    return concerned;
  }
}
