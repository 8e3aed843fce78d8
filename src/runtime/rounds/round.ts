/** One round of one reconciler: observe, diff, apply, observe again. `diff` on the command line is its first half. */
import type { Desired } from '../../model/diff.js';
import { type Action, type ActionResult, isEmpty, type Plan, type ResourceKey } from '../../model/plan.js';
import type { Reconciler } from '../../reconcilers/reconciler.js';

export interface Round<State> {
  /** What the first observation asked for. */
  readonly planned: Plan<State>;
  /** One for each planned action that was this round's to do. */
  readonly results: readonly ActionResult[];
  /** What the last observation still asks for: empty when converged. */
  readonly remaining: Plan<State>;
}

export interface RoundOptions {
  readonly isPresent: (key: ResourceKey) => boolean;
  /** Leaves the other half of the plan alone, for a caller that adds everything before it deletes anything. Default: both. */
  readonly only?: 'additions' | 'deletions';
  /** Actions that are not to be tried now. Default: none. */
  readonly isHeld?: (action: Action) => boolean;
}

/** Rejects with what observing rejected with, or with the signal's reason; failed actions are in the results. */
export async function runRound<State>(
  reconciler: Reconciler<State>,
  desired: readonly Desired<State>[],
  { isPresent, only, isHeld = () => false }: RoundOptions,
  signal: AbortSignal,
): Promise<Round<State>> {
  const planned = await planRound(reconciler, desired, signal);
  const ready: Action<State>[] = [];
  const waiting: ActionResult[] = [];
  for (const action of planned.actions) {
    if (only !== undefined && (action.verb === 'delete') !== (only === 'deletions')) continue;
    if (!action.requires.every(isPresent)) waiting.push({ key: action.key, outcome: 'waiting' });
    else if (isHeld(action)) waiting.push({ key: action.key, outcome: 'held' });
    else ready.push(action);
  }
  if (ready.length === 0) return { planned, results: waiting, remaining: planned };

  const results = await reconciler.apply(ready, signal);
  // What was done is told by the world, not by our having done it.
  const remaining = await planRound(reconciler, desired, signal);
  return { planned, results: [...results, ...waiting], remaining };
}

/** The plan alone; writes nothing. `remade`: see Reconciler. */
export async function planRound<State>(
  reconciler: Reconciler<State>,
  desired: readonly Desired<State>[],
  signal: AbortSignal,
  remade?: ReadonlySet<string>,
): Promise<Plan<State>> {
  const observed = await reconciler.observe(desired, signal, remade);
  signal.throwIfAborted();
  return reconciler.diff(desired, observed);
}

export function isConverged({ remaining }: Round<unknown>): boolean {
  return isEmpty(remaining) && !remaining.foreign.some(({ blocks }) => blocks);
}
