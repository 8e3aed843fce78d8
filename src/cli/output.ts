/** Results in the format that was asked for. */
import { dump } from 'js-yaml';
import { printableDocument } from '../model/printable.js';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** Before what takes the place of what stands on a terminal. ECMA-48: the cursor to the top left corner, and everything behind it gone. */
export const FROM_THE_TOP = '\x1b[H\x1b[J';

/** `text` is asked only for the table, of a document in which nothing that others have written can steer the terminal. */
export function formatted<T extends object>(format: Format, document: T, text: (shown: T) => string): string {
  switch (format) {
    case 'table':
      return text(printableDocument(document));
    case 'json':
      return jsonText(document);
    case 'yaml':
      return dump(JSON.parse(JSON.stringify(document)));
  }
}

export function jsonText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
