/**
 * The one comparison of wanted and found objects; every kind uses it. Pure and deterministic: the order of
 * the input does not matter, the actions come creates first, then updates, then deletes (add before delete),
 * each sorted by key.
 */
import type { Action, ForeignConflict, Plan, ResourceKey } from './plan.js';

/** One object that should exist. */
export interface Desired<State> {
  readonly key: ResourceKey;
  readonly state: State;
  /** What must be in place before it is created or changed, and before anything else of its kind is deleted. */
  readonly requires?: readonly ResourceKey[];
}

/** One object that does exist. `ours` is read back from the object itself (a mark), never remembered. */
export interface Observed<State> {
  readonly key: ResourceKey;
  readonly state: State;
  readonly ours: boolean;
  /** By its form a flannel that was here has left it: not ours, unless the operator says to adopt such. */
  readonly left?: boolean;
  /** Somebody else's, in the place of nothing that is wanted, and to be told of all the same: why. */
  readonly warning?: string;
}

/** As the operator wants it who takes over from flannel: what that has left counts as ours. */
export function adopted<State>(observed: readonly Observed<State>[]): readonly Observed<State>[] {
  return observed.map((object) => (object.left ? { ...object, ours: true } : object));
}

/** What a kind of object must know about itself to be compared. */
export interface Kind<State> {
  /** Names each managed field that is not as wanted: `mtu 1500, want 1472`. Empty: in sync. */
  differences(want: State, have: State): readonly string[];
  /** Why it is created, when "missing" says too little. */
  readonly missing?: (want: State) => string;
  /** Whether traffic stops for a moment when this is done. Default: never. */
  readonly interrupts?: (verb: Action['verb'], want: State | undefined, have: State | undefined) => boolean;
  /** Each object carries a mark of its own, which an adopted one gets even where it is as wanted otherwise. */
  readonly isMarked?: boolean;
  /** What must be in place before any object of the kind is deleted, beside what the wanted ones require. */
  readonly deletesAfter?: readonly ResourceKey[];
}

export function diff<State>(
  kind: Kind<State>,
  desired: readonly Desired<State>[],
  observed: readonly Observed<State>[],
): Plan<State> {
  const found = new Map(observed.map((object) => [object.key, object]));
  const wanted = new Set(desired.map(({ key }) => key));
  const surplus = [...found.values()].filter(({ key }) => !wanted.has(key));
  return planOf(
    kind,
    desired.map((want) => addition(kind, want, found.get(want.key))),
    surplus,
    desired.flatMap(({ requires = [] }) => requires),
  );
}

/** What one wanted object asks for, beside what was found in its place; undefined when it is as wanted. */
export function addition<State>(
  kind: Kind<State>,
  { key, state, requires = [] }: Desired<State>,
  have: Observed<State> | undefined,
): Action<State> | ForeignConflict | undefined {
  if (have === undefined) {
    const reason = kind.missing?.(state) ?? 'missing';
    const interrupts = kind.interrupts?.('create', state, undefined) ?? false;
    return { verb: 'create', key, reason, after: state, requires, interrupts };
  }
  const isTakenOver = kind.isMarked && have.left && have.ours;
  const differences = [
    ...(isTakenOver ? ['left by flannel, adopted'] : []),
    ...kind.differences(state, have.state),
  ];
  // A foreign object equal to the wanted one serves as well as ours: nothing to do, nothing to own.
  if (differences.length === 0) return undefined;
  const reason = differences.join('; ');
  if (!have.ours) return { key, reason: `not ours: ${reason}`, blocks: true };
  const [before, after] = [have.state, state];
  const interrupts = kind.interrupts?.('update', after, before) ?? false;
  return { verb: 'update', key, reason, before, after, requires, interrupts };
}

/** `surplus` was found and is not wanted; `awaited` is what the wanted objects require. */
export function planOf<State>(
  kind: Kind<State>,
  additions: readonly (Action<State> | ForeignConflict | undefined)[],
  surplus: readonly Observed<State>[],
  awaited: Iterable<ResourceKey>,
): Plan<State> {
  const actions: Action<State>[] = [];
  const foreign: ForeignConflict[] = [];
  for (const step of additions) {
    if (step === undefined) continue;
    if ('verb' in step) actions.push(step);
    else foreign.push(step);
  }
  // While what is wanted has to wait, what is there stays in use: a host that gets no lease in a new network goes
  // on in the old one.
  const requires = [...new Set([...awaited, ...(kind.deletesAfter ?? [])])].sort();
  for (const { key, state, ours, left, warning } of surplus) {
    if (!ours) {
      const reason = left ? 'left by flannel: apply --adopt takes it away' : warning;
      if (reason !== undefined) foreign.push({ key, reason, blocks: false });
      continue;
    }
    const reason = left ? 'left by flannel, not wanted' : 'not wanted any more';
    const interrupts = kind.interrupts?.('delete', undefined, state) ?? false;
    actions.push({ verb: 'delete', key, reason, before: state, requires, interrupts });
  }
  return { actions: inOrder(actions), foreign: foreign.sort(byKey) };
}

const RANK = { create: 0, update: 1, delete: 2 } as const satisfies Record<Action['verb'], number>;

function inOrder<State>(actions: Action<State>[]): Action<State>[] {
  return actions.sort((left, right) => RANK[left.verb] - RANK[right.verb] || byKey(left, right));
}

/** Code-unit order: `localeCompare` would depend on the machine. */
function byKey(left: { readonly key: string }, right: { readonly key: string }): number {
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}
