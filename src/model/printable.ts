/** Text that others have written, as a terminal may show it: stores, servers and commands answer with whatever they like. */

/** One line: whatever does not show, moves the cursor or would end the line, as JSON and YAML escape it. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** Several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(/(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

function escaped(character: string): string {
  const units = character.split('');
  return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
}
