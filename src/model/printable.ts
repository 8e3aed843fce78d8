/** Text that others have written, as a terminal may show it: stores, servers and commands answer with whatever they like. */

/** One line: whatever does not show, moves the cursor or would end the line, as JSON and YAML escape it. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** Several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(/(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** A document of plain data in which every text is so, names too. */
export function printableDocument<T>(document: T): T {
  return shown(document) as T;
}

function shown(value: unknown): unknown {
  if (typeof value === 'string') return printableLines(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(shown);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [printableLines(name), shown(inner)]),
  );
}

function escaped(character: string): string {
  const units = character.split('');
  return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
}
