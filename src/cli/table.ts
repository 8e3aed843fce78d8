/** Rows under a heading, each column as wide as it must be. */

import { printable } from '../model/printable.js';

/** What a cell looks like on a terminal: its text in a colour. */
type Look = (text: string) => string;

/** Lines with an empty one before them; none for a table without rows. `looks`: by the titles of columns. */
export function table(
  head: readonly string[],
  texts: readonly (readonly string[])[],
  looks: Readonly<Record<string, Look>> = {},
): string[] {
  if (texts.length === 0) return [];
  // A cell is one line, whatever somebody else has written into it.
  const rows = texts.map((row) => row.map((text) => printable(text.replace(/\s*\n\s*/g, ' '))));
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const look: Look[] = head.map((title) => looks[title] ?? ((text) => text));
  const line = (row: readonly string[], shown: (cell: string, column: number) => string) =>
    row
      .map((cell, column) => shown(cell, column) + ' '.repeat((widths[column] ?? 0) - cell.length))
      .join('  ')
      .trimEnd();
  return [
    '',
    line(head, (title) => title),
    ...rows.map((row) => line(row, (cell, column) => look[column]?.(cell) ?? cell)),
  ];
}
