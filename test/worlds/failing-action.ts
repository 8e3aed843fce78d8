/** Reconcilers that cannot carry out one action, and nothing is amiss with what puts things back. */
import { KINDS, type KindName, type StateOf } from '../../src/model/objects.js';
import type { Action, ActionResult } from '../../src/model/plan.js';
import type { Reconciler } from '../../src/reconcilers/reconciler.js';
import { PUT_BACK } from '../../src/runtime/rollback/kept-states.js';
import type { Reconcilers } from '../../src/runtime/rounds/reconcilers.js';

/** `refused`: it is not done. `unanswered`: it is done, and nobody is told. */
export type FailureMode = 'refused' | 'unanswered';

export const FAILURE_MODES: readonly FailureMode[] = ['refused', 'unanswered'];

export function failingAction(
  reconcilers: Reconcilers,
  { verb, key }: Pick<Action, 'verb' | 'key'>,
  mode: FailureMode,
): Reconcilers {
  const all: { [K in KindName]?: Reconciler<StateOf[K]> } = {};
  const wrap = <K extends KindName>(kind: K) => {
    const reconciler = reconcilers[kind];
    if (reconciler === undefined) return;
    const isHit = (action: Action) =>
      action.reason !== PUT_BACK && action.key === key && (action.verb === verb || mode === 'unanswered');
    all[kind] = failing(reconciler, isHit, mode) as unknown as (typeof all)[K];
  };
  for (const kind of KINDS) wrap(kind);
  return all;
}

function failing<State>(
  reconciler: Reconciler<State>,
  isHit: (action: Action<State>) => boolean,
  mode: FailureMode,
): Reconciler<State> {
  // What was done unseen is seen as done the next time: so it is never seen.
  let hidden: readonly Action<State>[] = [];
  return {
    ...reconciler,
    diff(desired, observed) {
      const plan = reconciler.diff(desired, observed);
      const still = hidden.filter(({ key }) => !plan.actions.some((action) => action.key === key));
      return { ...plan, actions: [...plan.actions, ...still] };
    },
    async apply(actions, signal) {
      const hits = actions.filter(isHit);
      const isFirst = hits.length > 0 && hidden.length === 0;
      const done = mode === 'unanswered' && isFirst ? actions : actions.filter((action) => !isHit(action));
      const results = await reconciler.apply(done, signal);
      if (hits.length > 0) hidden = hits;
      const answered = results.filter(({ key }) => !hits.some((hit) => hit.key === key));
      const error = new Error('refused by the test');
      return [...answered, ...hits.map(({ key }): ActionResult => ({ key, outcome: 'failed', error }))];
    },
  };
}
