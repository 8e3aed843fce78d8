/** Which objects are in place, as the last round of each kind saw it: what `requires` is answered from. */
import type { KindName } from '../model/objects.js';
import type { ResourceKey } from '../model/plan.js';

export class Presence {
  readonly #keys = new Map<KindName, ReadonlySet<ResourceKey>>();

  has(key: ResourceKey): boolean {
    for (const keys of this.#keys.values()) if (keys.has(key)) return true;
    return false;
  }

  /** Returns whether anything came or went. */
  update(kind: KindName, keys: readonly ResourceKey[]): boolean {
    const before = this.#keys.get(kind) ?? new Set();
    this.#keys.set(kind, new Set(keys));
    return before.size !== keys.length || keys.some((key) => !before.has(key));
  }
}
