/** The statuses of one kind's objects, round after round: those that are as wanted cost nothing. */
import { DerivedList } from './derived-list.js';
import type { Desired } from './diff.js';
import type { ActionResult, Plan, ResourceKey } from './plan.js';
import { type ObjectStatus, objectStatuses, presentKeys } from './status.js';
import { TrackedList } from './tracked-list.js';

export interface KindStatuses {
  /** All of them. */
  readonly objects: readonly ObjectStatus[];
  /** Those that are not in sync. */
  readonly troubles: readonly ObjectStatus[];
  /** What others may count on. */
  readonly present: readonly ResourceKey[];
}

/** The result is that of `objectStatuses` and `presentKeys`; the lists are tracked where `desired` is. */
export class StatusMemory {
  readonly #inSync = new DerivedList<Desired<unknown>, ObjectStatus>(({ key }) => key);
  readonly #keys = new DerivedList<Desired<unknown>, ResourceKey>((key) => key);

  of(desired: readonly Desired<unknown>[], remaining: Plan, results: readonly ActionResult[]): KindStatuses {
    const troubles = objectStatuses([], remaining, results);
    const tracked = TrackedList.of(desired);
    if (tracked === undefined) {
      const keys = desired.map(({ key }) => key);
      return {
        objects: objectStatuses(keys, remaining, results),
        troubles,
        present: presentKeys(keys, remaining),
      };
    }
    const inSync = this.#inSync.of(tracked, undefined, ({ key }) => ({ key, state: 'in-sync', reason: '' }));
    const keys = this.#keys.of(tracked, undefined, ({ key }) => key);
    const wanted = troubles.map(({ key }) => key);
    const present = new Set(presentKeys(wanted, remaining));
    return {
      objects: inSync.edited(troubles.map((status) => [status.key, status])).list,
      troubles,
      present: keys.edited(wanted.filter((key) => !present.has(key)).map((key) => [key, undefined])).list,
    };
  }
}
