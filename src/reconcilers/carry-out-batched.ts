/** Carries out actions that the kernel takes many at a time; carry-out.ts is for those it takes one by one. */
import type { Action, ActionResult } from '../model/plan.js';
import type { Netlink, NetlinkRequest, SystemError } from '../ports.js';

/** What one action is to netlink, and which refusals mean that it was done already. */
export interface BatchedStep<State> {
  request(action: Action<State>): NetlinkRequest;
  isDoneAlready(action: Action<State>, error: SystemError): boolean;
}

/**
 * One result for each action. Creates and updates go first, in one batch; deletes follow, and are `skipped`
 * when anything failed before: what they would remove may still be needed. Rejects on abort alone.
 */
export async function carryOutBatched<State>(
  actions: readonly Action<State>[],
  signal: AbortSignal,
  netlink: Netlink,
  step: BatchedStep<State>,
): Promise<readonly ActionResult[]> {
  const additions = actions.filter(({ verb }) => verb !== 'delete');
  const deletions = actions.filter(({ verb }) => verb === 'delete');
  const added = await send(additions, signal, netlink, step);
  if (added.some(({ outcome }) => outcome === 'failed')) {
    return [...added, ...deletions.map(({ key }): ActionResult => ({ key, outcome: 'skipped' }))];
  }
  return [...added, ...(await send(deletions, signal, netlink, step))];
}

async function send<State>(
  actions: readonly Action<State>[],
  signal: AbortSignal,
  netlink: Netlink,
  step: BatchedStep<State>,
): Promise<readonly ActionResult[]> {
  signal.throwIfAborted();
  if (actions.length === 0) return [];
  const errors = await netlink.request(actions.map((action) => step.request(action)));
  return actions.map((action, index): ActionResult => {
    const error = errors[index];
    if (error === undefined) return { key: action.key, outcome: 'done' };
    if (step.isDoneAlready(action, error)) return { key: action.key, outcome: 'unchanged' };
    return { key: action.key, outcome: 'failed', error };
  });
}

/** What is to be there, or what is to go. */
export function stateOf<State>({ before, after }: Action<State>): State {
  const state = after ?? before;
  if (state === undefined) throw new TypeError('An action without a state cannot be carried out');
  return state;
}
