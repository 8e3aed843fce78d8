/** What a plan is: actions as data, and what stands in their way. Made by diff.ts, carried out by reconcilers. */

/**
 * The kernel's or the store's own identity of one thing, unique across reconcilers: `link:flannel0`,
 * `route:4.0.0.0/16`. Links are named, never numbered: an ifindex does not outlive its device.
 */
export type ResourceKey = `${string}:${string}`;

export type Verb = 'create' | 'update' | 'delete';

/** One idempotent step, data only: it can be printed, compared, saved, replayed and inverted. */
export interface Action<State = unknown> {
  readonly verb: Verb;
  readonly key: ResourceKey;
  /** Why, in words that stand alone: `mtu 1500, want 1472`. */
  readonly reason: string;
  /** What was observed. Absent for a create. */
  readonly before?: State;
  /** What is wanted. Absent for a delete. */
  readonly after?: State;
  /** Planned and printed all the same; carried out once all of these are in place. */
  readonly requires: readonly ResourceKey[];
  /** Traffic stops for a moment. */
  readonly interrupts: boolean;
}

/** Something that is not ours and is in the place of, or beside, what is wanted: reported, never touched. */
export interface ForeignConflict {
  readonly key: ResourceKey;
  readonly reason: string;
  /** True when something wanted cannot be made because of it. */
  readonly blocks: boolean;
}

export interface Plan<State = unknown> {
  readonly actions: readonly Action<State>[];
  readonly foreign: readonly ForeignConflict[];
}

/** `held`: not tried now, because somebody undoes it again and again. */
export type Outcome = 'done' | 'unchanged' | 'waiting' | 'held' | 'failed' | 'skipped';

export interface ActionResult {
  readonly key: ResourceKey;
  readonly outcome: Outcome;
  readonly error?: Error;
}

/** Undoes `action`. Rolling back a plan is the inverses of what was done, in reverse order. */
export function inverse<State>(action: Action<State>): Action<State> {
  const { before, after, ...rest } = action;
  const verb = ({ create: 'delete', update: 'update', delete: 'create' } as const)[action.verb];
  return {
    ...rest,
    verb,
    reason: `undo: ${action.reason}`,
    ...(after === undefined ? {} : { before: after }),
    ...(before === undefined ? {} : { after: before }),
  };
}

export function isEmpty(plan: Plan): boolean {
  return plan.actions.length === 0;
}
