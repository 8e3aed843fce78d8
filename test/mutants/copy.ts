/** A copy of the compiled program and its tests with one defect in it; everything else of the repository is linked. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputOf } from '../lab/process.js';
import { repositoryRoot } from '../lab/repository.js';
import type { Mutation } from './table.js';

/** Runs `body` with the copy's root; the copy is gone afterwards. Rejects when the mutation does not fit. */
export async function withMutant<T>(
  mutation: Mutation | undefined,
  body: (root: string) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'flannelette-mutant-'));
  try {
    const original = repositoryRoot();
    for (const name of readdirSync(original)) {
      if (name === 'dist') cpSync(join(original, name), join(root, name), { recursive: true });
      else symlinkSync(join(original, name), join(root, name));
    }
    if (mutation !== undefined) {
      const path = compiledPath(root, mutation.file);
      writeFileSync(path, mutated(readFileSync(path, 'utf8'), mutation));
      // A file that does not even load would be no proof of anything.
      await outputOf([process.execPath, '--check', path], { timeoutMs: 60_000 });
    }
    return await body(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

export function compiledPath(root: string, file: string): string {
  return join(root, 'dist/src', `${file}.js`);
}

/** Throws unless the text stands there exactly once. */
export function mutated(source: string, { file, text, replacement }: Mutation): string {
  const times = source.split(text).length - 1;
  if (times !== 1)
    throw new Error(`Cannot break ${file}: "${text}" stands there ${times} times, must be once`);
  // A function: "$&" and its like have no meaning here.
  return source.replace(text, () => replacement);
}
