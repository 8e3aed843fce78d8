/** A plan as it is printed, saved and read back: docs/plan.schema.json says its form. */
import { equalJson } from './equal-json.js';
import { KINDS, type KindName, type PlannedAction, type Plans } from './objects.js';
import type { Origin, Origins } from './origin.js';
import type { Action, ForeignConflict } from './plan.js';
import type { Renumbering } from './renumbering.js';

/** An action with what it follows from; a delete follows from nothing. */
export type ExplainedAction = PlannedAction & { readonly from?: Origin };

/** What was asked for: an apply of the plan asks for the same. */
export interface PlanQuestion {
  /** Absolute path of the configuration. */
  readonly file: string;
  readonly instance: string;
  /** Takes over what a stopped flanneld left. */
  readonly adopt: boolean;
  /** Kinds of objects that are looked at. Absent: all. */
  readonly only?: readonly KindName[];
  /** Values over those of the file, as they were given: `network.mtu=1400`. Absent: none. */
  readonly set?: readonly string[];
}

export interface PlanDocument extends PlanQuestion {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'Plan';
  /** Creates, updates and deletes of each kind, in the order of the kinds. */
  readonly actions: readonly ExplainedAction[];
  readonly foreign: readonly (ForeignConflict & { readonly kind: KindName })[];
  /** Another subnet than the one that this host has in use. */
  readonly renumbering?: Renumbering;
  readonly summary: {
    readonly create: number;
    readonly update: number;
    readonly delete: number;
    readonly foreign: number;
  };
}

export function planDocument(
  question: PlanQuestion,
  plans: Plans,
  origins: Origins,
  renumbering?: Renumbering,
): PlanDocument {
  const kinds = KINDS.filter((kind) => question.only?.includes(kind) ?? true);
  const actions = kinds.flatMap((kind) =>
    (plans[kind]?.actions ?? []).map((action) => explained({ kind, ...action }, origins)),
  );
  const foreign = kinds.flatMap((kind) =>
    (plans[kind]?.foreign ?? []).map((conflict) => ({ kind, ...conflict })),
  );
  const count = (verb: Action['verb']) => actions.filter((action) => action.verb === verb).length;
  return {
    apiVersion: 'flannelette/v1',
    kind: 'Plan',
    ...question,
    actions,
    foreign,
    ...(renumbering && { renumbering }),
    summary: {
      create: count('create'),
      update: count('update'),
      delete: count('delete'),
      foreign: foreign.length,
    },
  };
}

export function explained(action: PlannedAction, origins: Origins): ExplainedAction {
  const from = action.verb === 'delete' ? undefined : origins(action.kind, action.key);
  return from === undefined ? action : { ...action, from };
}

/** Whether both do the same to the same thing as it was found. Lines of the file and revisions of others do not count. */
export function isSameOperation(left: ExplainedAction, right: ExplainedAction): boolean {
  const [{ from: _, ...before }, { from: __, ...now }] = [left, right];
  return equalJson(before, now);
}

/** What is otherwise than when `saved` was made, in the order of the kinds; empty when it can be carried out as it stands. */
export function movedSince(saved: PlanDocument, now: PlanDocument): readonly string[] {
  const name = ({ kind, key }: { readonly kind: KindName; readonly key: string }) => `${kind} ${key}`;
  const [planned, current] = [saved, now].map(
    ({ actions }) => new Map(actions.map((action) => [name(action), action])),
  );
  const foreign = new Map(now.foreign.map((conflict) => [name(conflict), conflict]));
  const gone = saved.actions.flatMap((action) => {
    const today = current?.get(name(action));
    if (today !== undefined && isSameOperation(action, today)) return [];
    const obstacle = foreign.get(name(action));
    const is = today ? changedText(action, today) : (obstacle?.reason ?? 'nothing to do');
    return `${action.key}: planned was ${text(action)}; now ${is}`;
  });
  const added = now.actions
    .filter((action) => !planned?.has(name(action)))
    .map((action) => `${action.key}: planned was nothing; now ${text(action)}`);
  return [...gone, ...added];
}

/** What is to be done now, and where the same is said of it, in what it differs all the same. */
function changedText(planned: Action, now: Action): string {
  if (text(now) !== text(planned)) return text(now);
  const differences = [
    ...(equalJson(now.before, planned.before) ? [] : ['from another state']),
    ...(equalJson(now.after, planned.after) ? [] : ['to another state']),
    ...(equalJson(now.requires, planned.requires) ? [] : [`after ${now.requires.join(', ') || 'nothing'}`]),
    ...(now.interrupts === planned.interrupts ? [] : [`${now.interrupts ? 'with' : 'without'} interruption`]),
  ];
  return `${text(now)}, ${differences.join(', ')}`;
}

function text({ verb, reason }: Action): string {
  return `${verb} (${reason})`;
}
