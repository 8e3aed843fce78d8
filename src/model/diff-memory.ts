/** The comparison of diff.ts for lists that tell what changed: only that is compared again. */
import { addition, type Desired, diff, type Kind, type Observed, planOf } from './diff.js';
import type { Action, ForeignConflict, Plan, ResourceKey } from './plan.js';
import { TrackedList } from './tracked-list.js';

/** The result is `diff`'s. The keys of both lists are those of their objects. */
export class DiffMemory<State> {
  readonly #kind: Kind<State>;
  #desired = TrackedList.empty<Desired<State>>();
  #observed = TrackedList.empty<Observed<State>>();
  /** What is not as wanted: next to nothing, most of the time. */
  readonly #additions = new Map<string, Action<State> | ForeignConflict>();
  readonly #surplus = new Map<string, Observed<State>>();
  /** How many of the wanted objects require it. */
  readonly #awaited = new Map<ResourceKey, number>();

  constructor(kind: Kind<State>) {
    this.#kind = kind;
  }

  plan(desired: readonly Desired<State>[], observed: readonly Observed<State>[]): Plan<State> {
    const [wants, haves] = [TrackedList.of(desired), TrackedList.of(observed)];
    if (wants === undefined || haves === undefined) return diff(this.#kind, desired, observed);
    const rewanted = [...wants.differences(this.#desired)];
    for (const key of rewanted) {
      this.#await(this.#desired.get(key), -1);
      this.#await(wants.get(key), 1);
    }
    for (const key of new Set([...rewanted, ...haves.differences(this.#observed)])) {
      this.#compare(key, wants.get(key), haves.get(key));
    }
    this.#desired = wants;
    this.#observed = haves;
    return planOf(
      this.#kind,
      [...this.#additions.values()],
      [...this.#surplus.values()],
      this.#awaited.keys(),
    );
  }

  #compare(key: string, want: Desired<State> | undefined, have: Observed<State> | undefined): void {
    const step = want && addition(this.#kind, want, have);
    if (step === undefined) this.#additions.delete(key);
    else this.#additions.set(key, step);
    if (want === undefined && have !== undefined) this.#surplus.set(key, have);
    else this.#surplus.delete(key);
  }

  #await(want: Desired<State> | undefined, by: 1 | -1): void {
    for (const key of want?.requires ?? []) {
      const count = (this.#awaited.get(key) ?? 0) + by;
      if (count === 0) this.#awaited.delete(key);
      else this.#awaited.set(key, count);
    }
  }
}
