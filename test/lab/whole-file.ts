/** Content that shows whether a file is whole: its last line says how many there are. */

/** Three writes of Node's 512 KiB: half a file has its chance to be seen. */
const LINES = 100_000;

export function wholeContent(seed: number): string {
  return `${`content ${seed}\n`.repeat(LINES)}end of ${LINES} lines\n`;
}

export function isWhole(content: string): boolean {
  const lines = content.split('\n');
  return lines.at(-2) === `end of ${lines.length - 2} lines` && new Set(lines.slice(0, -2)).size === 1;
}
