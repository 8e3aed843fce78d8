/** What a TypeScript file imports, and its code without comments and the text of strings. No parser: a scanner that knows both. */

export interface Scan {
  /** Module specifiers as written, of every form: import, export from, import type, import(). */
  readonly imports: readonly string[];
  /** Comments gone, strings and regular expressions emptied; every other character is kept. */
  readonly code: string;
}

/** Throws when brackets do not pair up in what is left: then the scanner took code for text or text for code. */
export function scan(path: string, source: string): Scan {
  const imports: string[] = [];
  let code = '';
  let at = 0;
  /** Open `${`: depth of braces inside each. */
  const templates: number[] = [];

  /** Moves over the text of a template; stops behind its closing backtick or an opening `${`. */
  function skipTemplate(): void {
    while (at < source.length) {
      if (source[at] === '\\') at += 2;
      else if (source[at] === '`') {
        at++;
        code += '`';
        return;
      } else if (source.startsWith('${', at)) {
        at += 2;
        templates.push(0);
        code += '${';
        return;
      } else at++;
    }
  }

  while (at < source.length) {
    const character = source[at] ?? '';
    if (source.startsWith('//', at)) {
      at = endOf(source.indexOf('\n', at), source);
    } else if (source.startsWith('/*', at)) {
      at = endOf(source.indexOf('*/', at), source) + 2;
      code += ' ';
    } else if (character === "'" || character === '"') {
      const end = closing(source, at, character);
      if (/\b(from|import)\s*$|\bimport\s*\(\s*$/.test(code)) imports.push(source.slice(at + 1, end));
      code += character + character;
      at = end + 1;
    } else if (character === '`') {
      code += character;
      at++;
      skipTemplate();
    } else if (character === '/' && regexCanStart(code)) {
      at = closing(source, at, '/') + 1;
      code += '/ /';
    } else {
      const depth = templates.at(-1);
      if (depth !== undefined && character === '{') templates[templates.length - 1] = depth + 1;
      if (depth !== undefined && character === '}') templates[templates.length - 1] = depth - 1;
      code += character;
      at++;
      if (depth === 0 && character === '}') {
        templates.pop();
        skipTemplate();
      }
    }
  }
  assertBalanced(path, code);
  return { imports, code };
}

function endOf(index: number, source: string): number {
  return index === -1 ? source.length : index;
}

/** The index of the quote or slash that closes the one at `start`. */
function closing(source: string, start: number, mark: string): number {
  let isInClass = false;
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++;
    else if (mark === '/' && source[at] === '[') isInClass = true;
    else if (mark === '/' && source[at] === ']') isInClass = false;
    else if (source[at] === mark && !isInClass) return at;
  }
  return source.length;
}

/** A slash behind a value divides; anywhere else it opens a regular expression. */
function regexCanStart(codeBefore: string): boolean {
  const before = codeBefore.trimEnd();
  if (/\b(return|typeof|case|in|of|await|yield|void|throw)$/.test(before)) return true;
  return !/[\w$)\]}'"`]$/.test(before);
}

function assertBalanced(path: string, code: string): void {
  const open: string[] = [];
  const pairs: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
  for (const character of code) {
    if ('([{'.includes(character)) open.push(character);
    else if (character in pairs && open.pop() !== pairs[character]) {
      throw new Error(`Cannot scan ${path}: "${character}" closes nothing`);
    }
  }
  if (open.length > 0) throw new Error(`Cannot scan ${path}: "${open.at(-1)}" is never closed`);
}
