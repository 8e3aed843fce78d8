/** The configuration while another one is on trial in its place: what was there lies beside it, until it is settled. */
import type { Files } from '../ports.js';
import { CommandError, EXIT } from './exit-codes.js';

/** Also what a keeper that died, with the whole machine perhaps, has left of a trial. */
export function beforeTryPath(file: string): string {
  return `${file}.before-try`;
}

export class TrialFile {
  readonly #files: Files;
  readonly #file: string;

  constructor(files: Files, file: string) {
    this.#files = files;
    this.#file = file;
  }

  /** The text of `candidate` takes the place. Rejects with CommandError where either is missing. */
  async swap(candidate: string): Promise<void> {
    const [old, next] = [await this.#present(this.#file), await this.#present(candidate)];
    await this.#files.write(beforeTryPath(this.#file), old.content, old.mode);
    await this.#files.write(this.#file, next.content, old.mode);
  }

  /** Puts back what was there; false when nothing is on trial. */
  async putBack(): Promise<boolean> {
    const old = await this.#files.read(beforeTryPath(this.#file));
    if (old === undefined) return false;
    await this.#files.write(this.#file, old.content, old.mode);
    await this.keep();
    return true;
  }

  /** What is there stays. */
  keep(): Promise<void> {
    return this.#files.remove(beforeTryPath(this.#file));
  }

  async isOnTrial(): Promise<boolean> {
    return (await this.#files.read(beforeTryPath(this.#file))) !== undefined;
  }

  async #present(path: string): Promise<{ readonly content: string; readonly mode: number }> {
    const found = await this.#files.read(path);
    if (found === undefined)
      throw new CommandError(`Cannot read ${path}: there is no such file`, EXIT.invalidConfig);
    return found;
  }
}
