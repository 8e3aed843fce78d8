/** An environment file as systemd reads it (systemd.exec(5), EnvironmentFile=), and the words of a variable. */
import { InputError } from './part.js';

/** A text and the name of its file, which is only named, never opened. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

export interface Assignment {
  readonly name: string;
  readonly value: string;
  /** `/etc/default/flanneld:3` */
  readonly place: string;
}

/** Blank lines, comments, and assignments: the name, then pieces with and without quotes up to the end of the line. */
const BLANK = /(?:[ \t]*(?:[#;][^\n]*)?\n)+/y;
const NAME = /[ \t]*([^=\n]*)(=?)[ \t]*/y;
const PIECES = [
  /'([^']*)'[ \t]*/y,
  /"((?:[^"\\]|\\[\s\S])*)"[ \t]*/y,
  // What begins without a quote goes on to the end of the line, quotes and all.
  /((?:[^'"\s\\]|\\[\s\S])(?:[^\\\n]|\\[\s\S])*)/y,
] as const;

/** In order. Throws InputError naming the line of what systemd would skip with a warning at most. */
export function readEnvironmentFile({ name: file, text }: NamedText): readonly Assignment[] {
  // For systemd either character ends a line.
  const scanner = new Scanner(`${text.replace(/\r\n?/g, '\n')}\n`);
  const assignments: Assignment[] = [];
  for (;;) {
    scanner.take(BLANK);
    if (scanner.isAtEnd) return assignments;
    const place = `${file}:${scanner.line}`;
    const [, name = '', equals] = scanner.take(NAME) ?? [];
    checkName(name.trimEnd(), equals === '=', place);
    const value = valueAt(scanner);
    if (scanner.take(/\n/y) === undefined) throw new InputError(place, 'a quote is not closed');
    assignments.push({ name: name.trimEnd(), value, place });
  }
}

function checkName(name: string, hasValue: boolean, place: string): void {
  if (hasValue && /^[A-Za-z_]\w*$/.test(name)) return;
  const isShell = /^export\s/.test(name);
  // What stands there is not shown: it may be a part of a password.
  throw new InputError(
    place,
    isShell ? 'systemd knows no `export`: remove the word' : 'must be NAME=VALUE, a comment, or blank',
  );
}

function valueAt(scanner: Scanner): string {
  const [single, double, plain] = PIECES;
  let value = '';
  for (;;) {
    const quoted = scanner.take(single)?.[1];
    const escaped = scanner.take(double)?.[1];
    const rest = scanner.take(plain)?.[1];
    if (quoted === undefined && escaped === undefined && rest === undefined) return value;
    value += quoted ?? '';
    // Only these lose their backslash between double quotes; a line may be continued.
    value += (escaped ?? '').replace(/\\\n/g, '').replace(/\\(["\\`$])/g, '$1');
    // A blank at the end is not part of the value, unless it is escaped.
    value += withoutBackslashes(rest?.replace(/^((?:\\[\s\S]|[^\\])*?)[ \t]*$/, '$1') ?? '');
  }
}

function withoutBackslashes(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, escaped: string) => (escaped === '\n' ? '' : escaped));
}

/** The words that `$NAME` becomes in a unit's command line: split at blanks, quotes and backslashes removed. */
export function wordsOf(value: string): readonly string[] {
  const words = value.match(/(?:'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\\[\s\S]|[^\s'"\\])+/g) ?? [];
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g,
      (_, single?: string, double?: string, escaped?: string) =>
        single ?? (double === undefined ? (escaped ?? '') : withoutBackslashes(double)),
    ),
  );
}

/** Takes what matches at the present place, with sticky expressions. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** 1-based. */
  get line(): number {
    return this.#text.slice(0, this.#at).split('\n').length;
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at += match[0].length;
    return match;
  }
}
