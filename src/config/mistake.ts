/** A mistake before its place in the text is known, and how a value is shown in one. */
import { SECRET_KEY } from '../model/config-error.js';
import type { Path } from './outline.js';

export interface Mistake {
  readonly path: Path;
  /** What the place points at: the value, or the key when the key itself is wrong. */
  readonly at: 'value' | 'key';
  /** One line, shortened. */
  readonly value?: string;
  readonly message: string;
  readonly hint?: string;
}

/** A mistake between fields. It is not said when one of those it `reads` is wrong by itself. */
export interface RuleMistake extends Mistake {
  readonly reads: readonly Path[];
}

/** The common form: what is written and what is allowed. */
export function notAllowed(path: Path, value: unknown, allowed: string, hint?: string): Mistake {
  const more = hint === undefined ? {} : { hint };
  if (value === undefined) return { path, at: 'value', message: `is missing: ${allowed}`, ...more };
  if (value === null) return { path, at: 'value', message: `is empty: ${allowed}`, ...more };
  if (path.some((step) => typeof step === 'string' && SECRET_KEY.test(step))) {
    return { path, at: 'value', message: `is not allowed: ${allowed}`, ...more };
  }
  const shown = shortText(value);
  return { path, at: 'value', value: shown, message: `${shown} is not allowed: ${allowed}`, ...more };
}

const LONGEST_SHOWN = 60;

/** Never more than one short line, whatever the value: lists and sections may be huge, even cyclic. */
export function shortText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a section';
  if (typeof value !== 'string') return String(value);
  const hidden = withoutPassword(value);
  return JSON.stringify(hidden.length > LONGEST_SHOWN ? `${hidden.slice(0, LONGEST_SHOWN)}…` : hidden);
}

/** `http://user:secret@host` without what stands before the `@`. */
function withoutPassword(text: string): string {
  return text.replace(/:\/\/[^/@]*@/g, '://…@');
}

/** `network.backend.port`, `store.static.peers[2].subnet`. */
export function pathText(path: Path): string {
  return path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${oneLine(step)}`,
    )
    .join('');
}

/** The inverse of `pathText`, for the keys of the schema: `store.static.peers[2].subnet`. */
export function pathOf(text: string): Path {
  return text
    .split('.')
    .flatMap((step) =>
      step.split(/[[\]]/).flatMap((part) => (/^\d+$/.test(part) ? Number(part) : part || [])),
    );
}

/** A key may hold anything; printed, it must stay on its line. */
function oneLine(key: string): string {
  const plain = /^[\w./<-]{1,60}$/.test(key);
  return plain ? key : shortText(key);
}
