/** Since when each object stands as it does. */
import type { ResourceKey } from '../../model/plan.js';
import type { ObjectState, ObjectStatus } from '../../model/status.js';
import { TrackedList } from '../../model/tracked-list.js';
import type { Clock } from '../../ports.js';

export class StatusDates {
  readonly #clock: Clock;
  readonly #since = new Map<ResourceKey, { state: ObjectState; reason: string; since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In milliseconds since the epoch; 0 for an object that was never noted. */
  since(key: ResourceKey): number {
    return this.#since.get(key)?.since ?? 0;
  }

  /** `before` are the statuses of the same kind that were noted last. */
  note(before: readonly ObjectStatus[], objects: readonly ObjectStatus[]): void {
    const now = this.#clock.now();
    for (const [key, status] of changedStatuses(before, objects)) {
      const known = this.#since.get(key);
      if (status === undefined) this.#since.delete(key);
      else if (known?.state !== status.state || known.reason !== status.reason)
        this.#since.set(key, { state: status.state, reason: status.reason, since: now });
    }
  }
}

/** At least those that are another one now; undefined for one that is gone. */
function changedStatuses(
  before: readonly ObjectStatus[],
  now: readonly ObjectStatus[],
): ReadonlyMap<ResourceKey, ObjectStatus | undefined> {
  const [tracked, trackedBefore] = [TrackedList.of(now), TrackedList.of(before)];
  if (tracked !== undefined && trackedBefore !== undefined) {
    const keys = [...tracked.differences(trackedBefore)] as ResourceKey[];
    return new Map(keys.map((key) => [key, tracked.get(key)]));
  }
  const changed = new Map<ResourceKey, ObjectStatus | undefined>(before.map(({ key }) => [key, undefined]));
  for (const status of now) changed.set(status.key, status);
  return changed;
}
