/** Results in the format that was asked for. */
import { dump } from 'js-yaml';
import { printableLines } from '../model/printable.js';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** Before what takes the place of what stands on a terminal. ECMA-48: the cursor to the top left corner, and everything behind it gone. */
export const FROM_THE_TOP = '\x1b[H\x1b[J';

/** `text` is asked only for the table; what others have written in it cannot steer the terminal. */
export function formatted(format: Format, document: object, text: () => string): string {
  switch (format) {
    case 'table':
      return printableLines(text());
    case 'json':
      return jsonText(document);
    case 'yaml':
      return dump(JSON.parse(JSON.stringify(document)));
  }
}

export function jsonText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
