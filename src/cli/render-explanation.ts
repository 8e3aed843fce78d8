/** Why an object is there, as text. Pure. */
import type { Explanation } from '../model/explanation.js';
import { type Painter, plain } from '../model/paint.js';
import { OBJECT_COLOURS } from './state-colours.js';

export function explanationText(explanation: Explanation, paint: Painter = plain): string {
  const { key, origin, wanted, requires, found, status, lastChange } = explanation;
  const rows: readonly (readonly [name: string, text: string | undefined])[] = [
    ['state', stateText(explanation, paint)],
    ['because', origin?.rule ?? 'nothing asks for it'],
    ['file', fileText(origin?.config)],
    ['store', origin?.store && `${origin.store.key} at revision ${origin.store.revision}`],
    ['needs', requires.length === 0 ? undefined : requires.join(', ')],
    ['wanted', wanted === undefined ? undefined : JSON.stringify(wanted)],
    [
      'found',
      found === undefined ? 'not there' : `${JSON.stringify(found.state)}${found.ours ? '' : ', not ours'}`,
    ],
    ['next try', status?.nextTryAt],
    [
      'changed',
      lastChange && `${lastChange.at}: ${lastChange.verb} (${lastChange.reason}): ${lastChange.outcome}`,
    ],
  ];
  const lines = rows.flatMap(([name, text]) => (text === undefined ? [] : `  ${name.padEnd(8)}  ${text}`));
  return `${[key, ...lines].join('\n')}\n`;
}

function stateText({ kind, status, wanted, found }: Explanation, paint: Painter): string {
  if (status !== undefined)
    return `${paint(OBJECT_COLOURS[status.state], status.state)} since ${status.since}${status.reason && `: ${status.reason}`}`;
  if (wanted === undefined) return found?.ours ? 'there, not wanted' : 'there, not ours';
  if (found === undefined && (kind === 'forwarder' || kind === 'peer'))
    return 'not there: the daemon has it in its packet loop, and none runs';
  return found === undefined ? 'wanted, not there' : 'wanted and there; no daemon keeps it so';
}

function fileText(config: NonNullable<Explanation['origin']>['config']): string | undefined {
  if (config === undefined) return undefined;
  return config.file === undefined
    ? `default of ${config.key}`
    : `${config.file}:${config.line}, ${config.key}`;
}
