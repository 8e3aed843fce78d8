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
  /** Calls `wake` when something of this kind may have changed, until `signal` aborts. Carries no data; may be early, late or needless. */
  watch?(wake: () => void, signal: AbortSignal): void;
}
