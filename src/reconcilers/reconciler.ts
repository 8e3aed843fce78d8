/** The contract of a reconciler: it drives one kind of object. */
import type { Desired, Observed } from '../model/diff.js';
import type { Action, ActionResult, Plan } from '../model/plan.js';

/**
 * Level-based: sees whole states, never events, and keeps no memory of what it did. Reconcilers do not know
 * each other; one waits for another's object by `requires`.
 */
export interface Reconciler<State> {
  readonly name: string;
  /** Longest pause between tries that fail, where a try costs next to nothing. Default: the loop's. */
  readonly mostRetryMs?: number;
  /**
   * Everything of this kind that is ours, and whatever foreign object stands in the place of a desired one.
   * Rejects with ObserveError when the answer would be incomplete: nothing is ever pruned on a guess.
   *
   * `remade` names devices that will be made anew before it is this kind's turn. They are shown as they will be
   * then, with nothing on them: a preview must announce what has to be put there again.
   */
  observe(
    desired: readonly Desired<State>[],
    signal: AbortSignal,
    remade?: ReadonlySet<string>,
  ): Promise<readonly Observed<State>[]>;
  /** Pure and deterministic. */
  diff(desired: readonly Desired<State>[], observed: readonly Observed<State>[]): Plan<State>;
  /** Carries out `actions` in order, batched where the kernel can; one result each. Rejects on abort alone. */
  apply(actions: readonly Action<State>[], signal: AbortSignal): Promise<readonly ActionResult[]>;
  /**
   * What `actions` are about to change, for a kind where that is more than the states of its objects: foreign rules in
   * our table, the bytes of a file, what sits on a device. `states` keeps the states; of the objects in `noted` it is
   * known already how they were. Default: `states` alone.
   */
  keep?(
    actions: readonly Action<State>[],
    states: Keepsake,
    noted: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<Keepsake>;
  /** Calls `wake` when something of this kind may have changed, until `signal` aborts. Carries no data; may be early, late or needless. */
  watch?(wake: () => void, signal: AbortSignal): void;
}

/** How something was before it was changed. Each step may be repeated, and does nothing where nothing is amiss. */
export interface Keepsake {
  /** Keys of objects of other kinds that it puts back along. */
  readonly claims?: ReadonlySet<string>;
  /** Removes what was not there. Rejects when it cannot. */
  takeAway(signal: AbortSignal): Promise<void>;
  /** Makes again what is gone, and changes back what was changed. Rejects when it cannot. */
  bringBack(signal: AbortSignal): Promise<void>;
  /** What is not as it was, in words: `route:4.0.0.0/16: was there, is not`. Empty when all is. */
  differences(signal: AbortSignal): Promise<readonly string[]>;
}

/** Several as one, in order. */
export function together(...keepsakes: readonly Keepsake[]): Keepsake {
  return {
    claims: new Set(keepsakes.flatMap(({ claims = [] }) => [...claims])),
    async takeAway(signal) {
      for (const keepsake of keepsakes) await keepsake.takeAway(signal);
    },
    async bringBack(signal) {
      for (const keepsake of keepsakes) await keepsake.bringBack(signal);
    },
    async differences(signal) {
      return (await Promise.all(keepsakes.map((keepsake) => keepsake.differences(signal)))).flat();
    },
  };
}
