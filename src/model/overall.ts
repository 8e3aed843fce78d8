/**
 * How a host stands as a whole, in two words that do not depend on each other: whether everything is as wanted (sync), and
 * whether that is so because it works, because it is under way, or in spite of trouble (health). Pure.
 */
/** `unknown`: not everything could be looked at, or nothing can be wanted yet. */
export type Sync = 'in-sync' | 'drifted' | 'conflict' | 'unknown';

/** `degraded`: somebody has to do something, or to wait for something that is not this host's. */
export type Health = 'ready' | 'progressing' | 'degraded';

export interface Standing<State extends string> {
  readonly state: State;
  /** The first thing that makes it so; empty when all is well. */
  readonly reason: string;
}

export interface Overall {
  readonly sync: Standing<Sync>;
  readonly health: Standing<Health>;
}

export interface OverallFacts {
  /** Everything was looked at, nothing is left to do, and nothing foreign is in the way. */
  readonly isConverged: boolean;
  /** Why nothing can be wanted yet. */
  readonly undecided?: string;
  /** Objects that are not in sync; `state` is an ObjectState. */
  readonly troubles: readonly Trouble[];
  /** Those that hold. */
  readonly conditions: readonly { readonly type: string; readonly message: string }[];
}

interface Trouble {
  readonly key: string;
  readonly state: string;
  readonly reason: string;
}

export function overallOf(facts: OverallFacts): Overall {
  const sync = syncOf(facts);
  return { sync, health: healthOf(facts, sync) };
}

function syncOf({ isConverged, undecided, troubles }: OverallFacts): Standing<Sync> {
  if (undecided !== undefined) return { state: 'unknown', reason: undecided };
  const conflict = troubles.find(({ state }) => state === 'conflict');
  if (conflict !== undefined) return { state: 'conflict', reason: textOf(conflict) };
  const drift = troubles.find(({ state }) => state !== 'foreign');
  if (drift !== undefined) return { state: 'drifted', reason: textOf(drift) };
  if (isConverged) return { state: 'in-sync', reason: '' };
  return { state: 'unknown', reason: 'not everything was looked at yet' };
}

function healthOf({ troubles, conditions }: OverallFacts, sync: Standing<Sync>): Standing<Health> {
  const [condition] = conditions;
  if (condition !== undefined)
    return { state: 'degraded', reason: `${condition.type}: ${condition.message}` };
  const trouble = troubles.find(({ state }) => DEGRADING.has(state));
  if (trouble !== undefined) return { state: 'degraded', reason: textOf(trouble) };
  if (sync.state === 'in-sync') return { state: 'ready', reason: '' };
  return { state: 'progressing', reason: sync.reason };
}

const DEGRADING: ReadonlySet<string> = new Set(['failed', 'contested', 'conflict']);

function textOf({ key, state, reason }: Trouble): string {
  return `${key} ${state}: ${reason}`;
}
