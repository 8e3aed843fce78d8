/** Plans as text and as data. Pure. */
import { KINDS, type KindName, type PlannedAction, type Plans } from '../model/objects.js';
import type { Action, ForeignConflict } from '../model/plan.js';
import type { Renumbering } from '../model/renumbering.js';
import { stateSummary } from './render-state.js';

export interface PlanDocument {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'Plan';
  readonly actions: readonly PlannedAction[];
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

export function planDocument(plans: Plans, renumbering?: Renumbering): PlanDocument {
  const actions = KINDS.flatMap((kind) =>
    (plans[kind]?.actions ?? []).map((action) => ({ kind, ...action })),
  );
  const foreign = KINDS.flatMap((kind) =>
    (plans[kind]?.foreign ?? []).map((conflict) => ({ kind, ...conflict })),
  );
  const count = (verb: Action['verb']) => actions.filter((action) => action.verb === verb).length;
  return {
    apiVersion: 'flannelette/v1',
    kind: 'Plan',
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

const SIGN = { create: '+', update: '~', delete: '-' } as const satisfies Record<Action['verb'], string>;

/** A block for each kind, a line for each object; the last line counts. */
export function planText({ actions, foreign, renumbering, summary }: PlanDocument): string {
  const lines: string[] = [];
  const width = Math.max(0, ...[...actions, ...foreign].map(({ key }) => key.length));
  for (const kind of KINDS) {
    const ofKind = [
      ...actions.filter((action) => action.kind === kind).map((action) => actionLine(action, width)),
      ...foreign.filter((conflict) => conflict.kind === kind).map((conflict) => foreignLine(conflict, width)),
    ];
    if (ofKind.length > 0) lines.push(kind, ...ofKind);
  }
  if (renumbering !== undefined) lines.push(renumberingLine(renumbering));
  lines.push(summaryLine(summary));
  return `${lines.join('\n')}\n`;
}

export function actionLine({ kind, verb, key, reason, interrupts, after }: PlannedAction, width = 0): string {
  // A plan's state is always of the action's own kind; the pair cannot be told to the compiler.
  const detail = verb === 'create' ? stateSummary(kind, after as never) : '';
  const what = detail === '' ? reason : `${reason} (${detail})`;
  return `  ${SIGN[verb]} ${key.padEnd(width)}  ${what}${interrupts ? '  [interrupts traffic]' : ''}`;
}

export function foreignLine({ key, reason }: ForeignConflict, width = 0): string {
  return `  ! ${key.padEnd(width)}  ${reason}`;
}

function renumberingLine({ from, to, reason, needsConsent }: Renumbering): string {
  const flag = needsConsent ? '; apply needs --allow-renumber' : '';
  return `Renumbers this host from ${from} to ${to}${flag}: ${reason}`;
}

function summaryLine(summary: PlanDocument['summary']): string {
  return `Plan: ${summary.create} to create, ${summary.update} to update, ${summary.delete} to delete, ${summary.foreign} foreign left alone`;
}
