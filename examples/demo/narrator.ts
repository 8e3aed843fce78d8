/** Tells the demo: headings, commands with what they printed, and expectations that end it when they do not hold. */

export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}

export class Narrator {
  #chapter = 0;

  constructor(
    readonly write: (text: string) => void,
    readonly isColourful: boolean,
  ) {}

  chapter(title: string): void {
    this.#chapter += 1;
    this.write(`\n${this.#styled('1', `${this.#chapter}. ${title}`)}\n`);
  }

  say(text: string): void {
    this.write(`${text}\n`);
  }

  /** A command as somebody would type it on `where`, and what it printed. */
  show(where: string, command: string, output: string): void {
    this.write(`\n  ${this.#styled('36', `${where}#`)} ${this.#styled('1', command)}\n`);
    for (const line of output.trimEnd().split('\n')) if (output !== '') this.write(`  ${line.trimEnd()}\n`);
  }

  /** Throws ExpectationError, which ends the demo, when `holds` is false. */
  expect(what: string, holds: boolean): void {
    if (!holds) throw new ExpectationError(`Expected: ${what}`);
    this.write(`\n  ${this.#styled('32', '✓')} ${what}\n`);
  }

  #styled(code: string, text: string): string {
    return this.isColourful ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
