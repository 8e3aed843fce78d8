/** Results in the format that was asked for. */
import { dump } from 'js-yaml';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** `text` is asked only for the table. */
export function formatted(format: Format, document: object, text: () => string): string {
  switch (format) {
    case 'table':
      return text();
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`;
    case 'yaml':
      return dump(JSON.parse(JSON.stringify(document)));
  }
}
