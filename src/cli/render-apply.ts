/** What an apply did, as text and as data. Pure. */
import type { ExplainedAction } from '../model/plan-document.js';
import type { Convergence } from '../runtime/one-shot.js';
import { actionLine } from './render-plan.js';

/** What was done, and what came of it. */
export interface ApplyResult {
  readonly outcome: Convergence['outcome'];
  /** For people; may be empty. */
  readonly message: string;
  readonly actions: readonly TriedAction[];
}

export type TriedAction = ExplainedAction & { readonly outcome: string; readonly error?: string };

export interface ApplyDocument extends ApplyResult {
  readonly apiVersion: 'flannelette/v1';
  readonly kind: 'ApplyResult';
}

export function applyDocument({ outcome, message, actions }: ApplyResult): ApplyDocument {
  return { apiVersion: 'flannelette/v1', kind: 'ApplyResult', outcome, message, actions };
}

/** As wide as `diff` has it: the same operation is the same line in both. The last line counts. */
export function applyText({ outcome, actions }: ApplyResult): string {
  const width = Math.max(0, ...actions.map(({ key }) => key.length));
  const lines = actions.map((action) => {
    const line = actionLine(action, width);
    return action.outcome === 'failed' ? `${line}: ${action.error}` : line;
  });
  lines.push(`Apply: ${actions.filter((action) => action.outcome === 'done').length} done, ${outcome}`);
  return `${lines.join('\n')}\n`;
}
