/** What zod finds wrong, in the words of the file: each issue becomes one mistake or several. */
import type { z } from 'zod';
import { inWords } from './fields.js';
import { type Mistake, notAllowed, pathText, shortText } from './mistake.js';
import type { Path } from './outline.js';
import { knownKeys, nearestKey, nearestValue, otherPlaceOf } from './suggestion.js';

type Issue = z.core.$ZodIssue;

/** Nobody reads more, and finding out what was meant takes its time. */
export const MOST_REPORTED = 100;

/** `value` is the whole of what was checked. The first hundred mistakes, when there are more. */
export function mistakesOf(issues: readonly Issue[], value: unknown): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  for (const issue of issues.flatMap(single)) {
    if (mistakes.length >= MOST_REPORTED) break;
    mistakes.push(...issueMistakes(issue, [], value));
  }
  return mistakes;
}

/** One issue for each unknown key. */
function single(issue: Issue): readonly Issue[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ ...issue, keys: [key] })) : [issue];
}

function issueMistakes(issue: Issue, parent: Path, value: unknown): readonly Mistake[] {
  const path = [...parent, ...issue.path.filter((step) => typeof step !== 'symbol')];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, value));
  if (issue.code === 'invalid_union') {
    // The side that accepts this type of value explains best what is wrong with it.
    const side = issue.errors.find((issues) => !issues.some(refusesType));
    if (side !== undefined) return side.flatMap((inner) => issueMistakes(inner, path, value));
  }
  const found = valueAt(value, path);
  const written = issue.code === 'custom' ? issue.params?.hint : undefined;
  const meant = written ?? meantText(nearestValue(path, found));
  return [notAllowed(path, found, issue.message, meant)];
}

function refusesType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function unknownKey(path: Path, key: string, content: unknown): Mistake {
  const at = [...path, key];
  const neighbour = nearestKey(path, key, content);
  const elsewhere = neighbour === undefined ? otherPlaceOf(key) : undefined;
  const hint =
    neighbour !== undefined
      ? `did you mean ${shortText(neighbour)}?`
      : elsewhere && `did you mean ${pathText(elsewhere)}?`;
  const message = `is not a key here: must be ${inWords(knownKeys(path, content))}`;
  return { path: at, at: 'key', message, ...(hint === undefined ? {} : { hint }) };
}

function meantText(value: string | undefined): string | undefined {
  return value === undefined ? undefined : `did you mean ${value}?`;
}

/** Own keys only: `constructor` is not in the file. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, step) => {
    const held = typeof inner === 'object' && inner !== null && Object.hasOwn(inner, step);
    return held ? (inner as Record<string | number, unknown>)[step] : undefined;
  }, value);
}
