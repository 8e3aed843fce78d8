/** What comes of converting: lines of the file, each with where it came from, and notes about what has no line. */
import { fieldRefusal } from '../config/field-refusal.js';

export interface Line {
  /** Keys from the top of the file: `['store', 'etcd', 'prefix']`. */
  readonly path: readonly string[];
  readonly value: string | number | boolean | readonly string[];
  /** The comment behind it. */
  readonly from: string;
}

export interface Note {
  /** What was given, without its value: `-public-ipv6`. */
  readonly what: string;
  /** Why it has no line, and what to do. Holds no secret. */
  readonly why: string;
  /** Whether it did something in flanneld that is not done here. */
  readonly isLost: boolean;
}

export interface Part {
  readonly lines: readonly Line[];
  readonly notes: readonly Note[];
}

/** What was given cannot be read, or flanneld would refuse it. The message holds no secret. */
export class InputError extends Error {
  override readonly name = 'InputError';
  /** `place` is `argument 3`, `/etc/default/flanneld:4` or `net-conf.json:3:15`. */
  constructor(place: string, what: string) {
    super(`${place}: ${what}`);
  }
}

export function joined(...parts: readonly Part[]): Part {
  return { lines: parts.flatMap(({ lines }) => lines), notes: parts.flatMap(({ notes }) => notes) };
}

export function line(path: Line['path'], value: Line['value'], from: string): Part {
  return { lines: [{ path, value, from }], notes: [] };
}

export function lost(what: string, why: string): Part {
  return { lines: [], notes: [{ what, why, isLost: true }] };
}

/** Nothing is lost: flanneld did nothing with it either, or it is so anyway. */
export function idle(what: string, why: string): Part {
  return { lines: [], notes: [{ what, why, isLost: false }] };
}

/** A line where the file takes the value, else a note about `what` with the file's own reason. */
export function lineOrLost(path: Line['path'], value: string, from: string, what = from): Part {
  const refused = fieldRefusal(path, value);
  return refused === undefined ? line(path, value, from) : lost(what, `${path.join('.')} ${refused}`);
}
