/** Where this repository and its program are; compiled tests may stand in any directory below its root. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function repositoryRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`Cannot find package.json above ${import.meta.url}`);
    directory = parent;
  }
  return directory;
}

/** Node's, as bin/flannelette has them. */
export const NODE_OPTIONS = [
  '--max-semi-space-size=1',
  '--heap-growing-percent=50',
  '--v8-pool-size=1',
] as const;

/** The command line of the program as built beside the running test. */
export function flannelette(...args: readonly string[]): readonly string[] {
  return [
    process.execPath,
    ...NODE_OPTIONS,
    fileURLToPath(new URL('../../program/bin/main.js', import.meta.url)),
    ...args,
  ];
}
