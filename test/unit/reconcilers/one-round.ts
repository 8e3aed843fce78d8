/** One round of one reconciler, as text: what it planned, what stands in the way, what came of it. */
import type { Desired } from '../../../src/model/diff.js';
import type { Action } from '../../../src/model/plan.js';
import type { Reconciler } from '../../../src/reconcilers/reconciler.js';

export interface TextRound {
  /** `create link:flannel0: missing` */
  readonly plan: readonly string[];
  /** `link:flannel0: not ours: ...` */
  readonly foreign: readonly string[];
  /** `done`, `failed EBUSY` */
  readonly outcomes: readonly string[];
}

export async function oneRound<State>(
  reconciler: Reconciler<State>,
  desired: readonly Desired<State>[],
): Promise<TextRound> {
  const { signal } = new AbortController();
  const { actions, foreign } = reconciler.diff(desired, await reconciler.observe(desired, signal));
  return {
    plan: actions.map(({ verb, key, reason }) => `${verb} ${key}: ${reason}`),
    foreign: foreign.map(({ key, reason }) => `${key}: ${reason}`),
    outcomes: await outcomes(reconciler, actions),
  };
}

/** Carries out `actions`, whatever the world is like by now. */
export async function outcomes<State>(
  reconciler: Reconciler<State>,
  actions: readonly Action<State>[],
): Promise<readonly string[]> {
  const results = await reconciler.apply(actions, new AbortController().signal);
  return results.map(({ outcome, error }) => {
    const code = (error as { code?: string } | undefined)?.code ?? error?.name;
    return code === undefined ? outcome : `${outcome} ${code}`;
  });
}

/** What a round says when there is nothing to do. */
export const NOTHING_TO_DO: TextRound = { plan: [], foreign: [], outcomes: [] };
