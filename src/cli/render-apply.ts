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
  /** What came of it, for people; may be empty. */
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

/** Its message tells the end too. */
export function applyDocument({ outcome, message, actions, rollback }: ApplyResult): ApplyDocument {
  const head = { apiVersion: 'flannelette/v1', kind: 'ApplyResult' } as const;
  if (rollback === undefined) return { ...head, outcome, message, actions };
  return { ...head, outcome, message: `${message}. ${rollbackText(rollback)}`, actions, rollback };
}

export function rollbackText({ problems }: Rollback): string {
  if (problems.length === 0) return 'Everything is as it was before';
  return ['Not everything could be put back:', ...problems.map((problem) => `  ${problem}`)].join('\n');
}

/** As wide as `diff` has it: the same operation is the same line in both. What was tried again in vain is one line. The last one counts. */
export function applyText({ outcome, actions, rollback }: ApplyResult, paint: Painter = plain): string {
  const width = Math.max(0, ...actions.map(({ key }) => key.length));
  const tries = actions.map((action) => {
    const line = actionLine(action, width, paint);
    return action.outcome === 'failed' ? `${line}: ${paint('red', action.error ?? 'failed')}` : line;
  });
  const times = new Map<string, number>();
  for (const line of tries) times.set(line, (times.get(line) ?? 0) + 1);
  const lines = [...times].map(([line, count]) => (count === 1 ? line : `${line} (${count} times)`));
  const done = actions.filter((action) => action.outcome === 'done').length;
  const undone = rollback && (rollback.problems.length === 0 ? ', rolled back' : ', not rolled back');
  lines.push(`Apply: ${done} done, ${paint(APPLY_COLOURS[outcome], outcome)}${undone ?? ''}`);
  return `${lines.join('\n')}\n`;
}
