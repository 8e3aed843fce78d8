/** Mistakes in the YAML file as the operator sees them: place, field, what is wrong, and the line itself. Plain text. */
import { type ConfigError, SECRET_KEY } from '../model/config-error.js';

/** One paragraph per error in the order given, with a line feed at the end. `textOf` knows the text of each file; no secret in it is shown. */
export function configErrorsText(errors: readonly ConfigError[], textOf: (file: string) => string): string {
  return errors
    .map((error) => `${errorLine(error)}\n${excerpt(error, textOf(error.file).split(/\r\n|\r|\n/))}`)
    .join('');
}

/** `flannelette.yaml:4:15: network.backend.port: 82850 is not allowed: must be 1 to 65535`. */
function errorLine({ file, line, column, path, message, hint }: ConfigError): string {
  const said = hint === undefined ? message : `${message}; ${hint}`;
  return [`${file}:${line}:${column}`, ...(path === '' ? [] : [path]), said].join(': ');
}

/** What is shown of a line: enough to find it, on one row of a terminal. */
const WIDEST = 100;
const INDENT = '    ';

/** The line and a caret below the column; nothing when the line is empty, as at the end of the file. */
function excerpt({ line, column }: ConfigError, lines: readonly string[]): string {
  const source = withoutSecret(lines, line - 1);
  if (source.trim() === '') return '';
  const start = column > WIDEST ? column - WIDEST / 2 : 0;
  const shown = source.slice(start, start + WIDEST).replace(/[\p{Cc}\p{Cf}]/gu, ' ');
  return `${INDENT}${shown.trimEnd()}\n${INDENT}${' '.repeat(column - 1 - start)}^\n`;
}

/** The line at `index` up to where a secret may begin, be it that of the line's own key or of one it is indented under. */
function withoutSecret(lines: readonly string[], index: number): string {
  const source = lines[index] ?? '';
  const secret = new RegExp(`(?:${SECRET_KEY.source})[^:=]*[:=]|://(?=[^/@]*@)`, 'i').exec(source);
  if (secret !== null) return `${source.slice(0, secret.index + secret[0].length)} …`;
  return isBelowSecret(lines, index) ? '' : source;
}

function isBelowSecret(lines: readonly string[], index: number): boolean {
  let indent = indentOf(lines[index] ?? '');
  for (let above = index - 1; above >= 0 && indent > 0; above--) {
    const line = lines[above] ?? '';
    if (line.trim() === '' || indentOf(line) >= indent) continue;
    indent = indentOf(line);
    if (SECRET_KEY.test(line)) return true;
  }
  return false;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}
