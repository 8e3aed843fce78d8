/** Plans as text. Pure. */
import { KINDS } from '../model/objects.js';
import type { Origin } from '../model/origin.js';
import { type Colour, type Painter, plain } from '../model/paint.js';
import type { Action, ForeignConflict } from '../model/plan.js';
import type { ExplainedAction, PlanDocument } from '../model/plan-document.js';
import type { Renumbering } from '../model/renumbering.js';
import { stateSummary } from './render-state.js';

const SIGN = { create: '+', update: '~', delete: '-' } as const satisfies Record<Action['verb'], string>;

const COLOURS = { create: 'green', update: 'yellow', delete: 'red' } as const satisfies Record<
  Action['verb'],
  Colour
>;

/** A block for each kind, a line for each object; the last line counts. */
export function planText(document: PlanDocument, paint: Painter = plain): string {
  return textOf(document, paint, (action, width) => [actionLine(action, width, paint)]);
}

/** The same with all that is known of each change below its line. */
export function widePlanText(document: PlanDocument, paint: Painter = plain): string {
  return textOf(document, paint, (action, width) => [
    actionLine(action, width, paint),
    ...detailLines(action),
  ]);
}

function textOf(
  { actions, foreign, renumbering, summary }: PlanDocument,
  paint: Painter,
  linesOf: (action: ExplainedAction, width: number) => readonly string[],
): string {
  const lines: string[] = [];
  const width = Math.max(0, ...[...actions, ...foreign].map(({ key }) => key.length));
  for (const kind of KINDS) {
    const ofKind = [
      ...actions.filter((action) => action.kind === kind).flatMap((action) => linesOf(action, width)),
      ...foreign
        .filter((conflict) => conflict.kind === kind)
        .map((conflict) => foreignLine(conflict, width, paint)),
    ];
    if (ofKind.length > 0) lines.push(kind, ...ofKind);
  }
  if (renumbering !== undefined) lines.push(renumberingLine(renumbering, paint));
  lines.push(summaryLine(summary));
  return `${lines.join('\n')}\n`;
}

export function actionLine(action: ExplainedAction, width = 0, paint: Painter = plain): string {
  const { kind, verb, key, reason, interrupts, after, from } = action;
  // A plan's state is always of the action's own kind; the pair cannot be told to the compiler.
  const detail = verb === 'create' ? stateSummary(kind, after as never) : '';
  const what = detail === '' ? reason : `${reason} (${detail})`;
  const places = from === undefined ? '' : `  <- ${originText(from)}`;
  const object = paint(COLOURS[verb], `${SIGN[verb]} ${key}`) + padding(key, width);
  return `  ${object}  ${what}${interrupts ? `  ${paint('bold', '[interrupts traffic]')}` : ''}${places}`;
}

/** `flannelette.yaml:2, subnets/4.0.32.0-24 at revision 17`. */
function originText({ config, store }: Pick<Origin, 'config' | 'store'>): string {
  const written =
    config?.file === undefined
      ? config && `default of ${config.key}`
      : `${config.file.replace(/^.*\//, '')}:${config.line}`;
  const stored = store && `${store.key} at revision ${store.revision}`;
  return [written, stored].filter((text) => text !== undefined).join(', ');
}

function detailLines({ from, requires, before, after }: ExplainedAction): readonly string[] {
  const rows: readonly (readonly [name: string, text: string | undefined])[] = [
    ['because', from?.rule],
    ['key', from?.config?.key],
    ['needs', requires.length === 0 ? undefined : requires.join(', ')],
    ['found', before === undefined ? undefined : JSON.stringify(before)],
    ['wanted', after === undefined ? undefined : JSON.stringify(after)],
  ];
  return rows.flatMap(([name, text]) => (text === undefined ? [] : `      ${name.padEnd(8)}${text}`));
}

export function foreignLine({ key, reason }: ForeignConflict, width = 0, paint: Painter = plain): string {
  return `  ${paint('magenta', `! ${key}`)}${padding(key, width)}  ${reason}`;
}

/** What is painted is padded outside of that: escape sequences take no room. */
function padding(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - text.length));
}

function renumberingLine({ from, to, reason, needsConsent }: Renumbering, paint: Painter): string {
  const flag = needsConsent ? '; apply needs --allow-renumber' : '';
  return `${paint('bold', `Renumbers this host from ${from} to ${to}`)}${flag}: ${reason}`;
}

function summaryLine(summary: PlanDocument['summary']): string {
  return `Plan: ${summary.create} to create, ${summary.update} to update, ${summary.delete} to delete, ${summary.foreign} foreign left alone`;
}
