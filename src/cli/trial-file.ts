/** The configuration while another one is on trial in its place: what was there lies beside it, until it is settled. */
import { isConfigFileName } from '../model/config-file-name.js';
import type { Directories, Files } from '../ports.js';
import { CommandError, EXIT } from './exit-codes.js';

/** Also what a keeper that died, with the whole machine perhaps, has left of a trial. */
export function beforeTryPath(file: string): string {
  return `${file}.before-try`;
}

/** A directory in the making, or one that is going. */
function besidePath(directory: string): string {
  return `${directory}.on-trial`;
}

/**
 * A file, or a directory of them. A file keeps itself under a second name, with its owner and mode, and a new one takes the
 * first. A directory is renamed and another one takes its name, so that nobody reads half of each: between the two names
 * there is none for a moment, and a daemon stays with what it has read.
 */
export class TrialFile {
  readonly #files: Files;
  readonly #directories: Directories;
  readonly #file: string;
  #isSwapped = false;

  constructor({ files, directories }: { files: Files; directories: Directories }, file: string) {
    this.#files = files;
    this.#directories = directories;
    this.#file = file;
  }

  /** What `candidate` holds takes the place. Rejects with CommandError where either is missing, or one is a directory and the other is not. */
  async swap(candidate: string): Promise<void> {
    const [old, next] = [await this.#names(this.#file), await this.#names(candidate)];
    if (old !== undefined && next !== undefined) return this.#swapDirectory(candidate, old, next);
    if (old === undefined && next === undefined) return this.#swapFile(candidate);
    const [kind, other] = old === undefined ? ['a file', 'a directory'] : ['a directory', 'a file'];
    const message = `Cannot try ${candidate}: it is ${other}, and ${this.#file} is ${kind}; both must be the same`;
    throw new CommandError(message, EXIT.usage);
  }

  async #swapFile(candidate: string): Promise<void> {
    const [old, next] = [await this.#present(this.#file), await this.#present(candidate)];
    await this.#directories.link(this.#file, beforeTryPath(this.#file));
    this.#isSwapped = true;
    await this.#files.write(this.#file, next.content, old.mode);
  }

  /** The new directory has everything else that the old one has. */
  async #swapDirectory(candidate: string, old: readonly string[], next: readonly string[]): Promise<void> {
    const beside = besidePath(this.#file);
    await this.#directories.removeTree(beside);
    await this.#directories.copy(this.#file, beside);
    for (const name of old) if (!next.includes(name)) await this.#files.remove(`${beside}/${name}`);
    for (const name of next) {
      const { content, mode } = await this.#present(`${candidate}/${name}`);
      const before = await this.#files.read(`${this.#file}/${name}`);
      await this.#files.write(`${beside}/${name}`, content, before?.mode ?? mode);
    }
    await this.#directories.move(this.#file, beforeTryPath(this.#file));
    this.#isSwapped = true;
    await this.#directories.move(beside, this.#file);
  }

  /** Takes back what `swap` has done, and nothing that another trial has left. */
  async undo(): Promise<void> {
    if (this.#isSwapped) await this.putBack();
  }

  /** Puts back what was there; false when nothing is on trial. */
  async putBack(): Promise<boolean> {
    if (!(await this.isOnTrial())) return false;
    const isDirectory = (await this.#directories.list(beforeTryPath(this.#file))) !== undefined;
    if (isDirectory) await this.#putBackDirectory();
    else await this.#directories.move(beforeTryPath(this.#file), this.#file);
    return true;
  }

  async #putBackDirectory(): Promise<void> {
    const beside = besidePath(this.#file);
    await this.#directories.removeTree(beside);
    // Whoever swapped, or put back, may have ended between two names.
    if ((await this.#directories.list(this.#file)) !== undefined)
      await this.#directories.move(this.#file, beside);
    await this.#directories.move(beforeTryPath(this.#file), this.#file);
    await this.#directories.removeTree(beside);
  }

  /** What is there stays. */
  keep(): Promise<void> {
    return this.#directories.removeTree(beforeTryPath(this.#file));
  }

  async isOnTrial(): Promise<boolean> {
    const before = beforeTryPath(this.#file);
    if ((await this.#directories.list(before)) !== undefined) return true;
    return (await this.#files.read(before)) !== undefined;
  }

  /** Of the files of a directory that count; undefined for what is none. */
  async #names(path: string): Promise<readonly string[] | undefined> {
    return (await this.#directories.list(path))?.filter(isConfigFileName);
  }

  async #present(path: string): Promise<{ readonly content: string; readonly mode: number }> {
    const found = await this.#files.read(path);
    if (found === undefined)
      throw new CommandError(`Cannot read ${path}: there is no such file`, EXIT.invalidConfig);
    return found;
  }
}
