/** The inputs that are kept: one for each outcome there is, in the name of its file, and those that once failed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../lab/repository.js';

const ENDING = '.bin';

function directoryOf(target: string): string {
  return join(repositoryRoot(), 'test/fuzz/corpus', target);
}

export interface Kept {
  /** The outcome in words with dashes; behind two of them what an input that once failed is about. */
  readonly name: string;
  readonly input: Uint8Array;
}

export function keptInputs(target: string): readonly Kept[] {
  const directory = directoryOf(target);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((file) => ({
      name: file.slice(0, -ENDING.length),
      input: new Uint8Array(readFileSync(join(directory, file))),
    }));
}

export function nameOf(outcome: string): string {
  return outcome.toLowerCase().replace(/[^a-z0-9]+/g, '-');
}

export function keep(target: string, outcome: string, input: Uint8Array): void {
  mkdirSync(directoryOf(target), { recursive: true });
  writeFileSync(join(directoryOf(target), `${nameOf(outcome)}${ENDING}`), input);
}
