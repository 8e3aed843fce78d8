/** What an apply did, as text and as data. Pure. */
import { type Painter, plain } from '../model/paint.js';
import type { ExplainedAction } from '../model/plan-document.js';
import type { Rollback } from '../runtime/rollback/transaction.js';
import type { Convergence } from '../runtime/rounds/one-shot.js';
import { actionLine } from './render-plan.js';
import { APPLY_COLOURS } from './state-colours.js';

/** What was done, and what came of it. */
export interface ApplyResult {
  readonly outcome: Convergence['outcome'];
  /** For people; may be empty. */
  readonly message: string;
  readonly actions: readonly TriedAction[];
  /** What came of putting everything back; absent where nothing was put back. */
  readonly rollback?: Rollback;
}

export type TriedAction = ExplainedAction & { readonly outcome: string; readonly error?: string };

export interface ApplyDocument extends ApplyResult {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'ApplyResult';
}

export function applyDocument({ outcome, message, actions, rollback }: ApplyResult): ApplyDocument {
  const head = { apiVersion: 'flannelette/v1', kind: 'ApplyResult' } as const;
  return { ...head, outcome, message, actions, ...(rollback && { rollback }) };
}

/** As wide as `diff` has it: the same operation is the same line in both. The last line counts. */
export function applyText({ outcome, actions, rollback }: ApplyResult, paint: Painter = plain): string {
  const width = Math.max(0, ...actions.map(({ key }) => key.length));
  const lines = actions.map((action) => {
    const line = actionLine(action, width, paint);
    return action.outcome === 'failed' ? `${line}: ${paint('red', action.error ?? 'failed')}` : line;
  });
  const done = actions.filter((action) => action.outcome === 'done').length;
  const undone = rollback && (rollback.problems.length === 0 ? ', rolled back' : ', not rolled back');
  lines.push(`Apply: ${done} done, ${paint(APPLY_COLOURS[outcome], outcome)}${undone ?? ''}`);
  return `${lines.join('\n')}\n`;
}
