/** Rows under a heading, each column as wide as it must be. */

import { printable } from '../model/printable.js';

/** Lines with an empty one before them; none for a table without rows. */
export function table(head: readonly string[], texts: readonly (readonly string[])[]): string[] {
  if (texts.length === 0) return [];
  // A cell is one line, whatever somebody else has written into it.
  const rows = texts.map((row) => row.map((text) => printable(text.replace(/\s*\n\s*/g, ' '))));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return ['', line(head), ...rows.map(line)];
}
