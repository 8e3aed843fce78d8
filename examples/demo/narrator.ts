/** Tells the demo: headings, commands with what they printed, and expectations that end it when they do not hold. */
import type { Painter } from '../../src/model/paint.js';

export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

export class Narrator {
  #chapter = 0;

  constructor(
    readonly write: (text: string) => void,
    readonly paint: Painter,
  ) {}

  chapter(title: string): void {
    this.#chapter += 1;
    this.write(`\n${this.paint('bold', `${this.#chapter}. ${title}`)}\n`);
  }

  say(text: string): void {
    this.write(`${text}\n`);
  }

  /** A command as somebody would type it on `where`, and what it printed. */
  show(where: string, command: string, output: string): void {
    this.write(`\n  ${this.paint('magenta', `${where}#`)} ${this.paint('bold', command)}\n`);
    for (const line of output.trimEnd().split('\n')) if (output !== '') this.write(`  ${line.trimEnd()}\n`);
  }

  /** Throws ExpectationError, which ends the demo, when `holds` is false. */
  expect(what: string, holds: boolean): void {
    if (!holds) throw new ExpectationError(`Expected: ${what}`);
    this.write(`\n  ${this.paint('green', '✓')} ${what}\n`);
  }
}
