/** Carries out actions one by one and keeps account of each; what a step does is the reconciler's affair. */
import type { Action, ActionResult } from '../model/plan.js';
import { asError } from '../ports.js';

/**
 * Runs `step` for each action, in order. A step that throws makes that action `failed` and the rest goes on,
 * but deletes after a failure are `skipped`: what they would remove may still be needed. Rejects only with
 * the reason of `signal`, as soon as a step has settled after the abort.
 */
export async function carryOut<State>(
  actions: readonly Action<State>[],
  signal: AbortSignal,
  step: (action: Action<State>) => Promise<void>,
): Promise<readonly ActionResult[]> {
  const results: ActionResult[] = [];
  let failed = false;
  for (const action of actions) {
    signal.throwIfAborted();
    if (failed && action.verb === 'delete') {
      results.push({ key: action.key, outcome: 'skipped' });
      continue;
    }
    try {
      await step(action);
      results.push({ key: action.key, outcome: 'done' });
    } catch (error) {
      signal.throwIfAborted();
      failed = true;
      results.push({ key: action.key, outcome: 'failed', error: asError(error) });
    }
  }
  return results;
}
