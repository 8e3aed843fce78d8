/** What the figures were taken on. */

import { readFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { outputOf } from '../test/lab/process.js';
import { repositoryRoot } from '../test/lab/repository.js';
import type { Machine } from './results.js';

export async function machine(): Promise<Machine> {
  const system = await readFile('/etc/os-release', 'utf8');
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(system)?.[1] ?? 'unknown',
    node: process.version,
  };
}

/** The short hash; `-dirty` behind it when files differ from it. */
export async function commit(): Promise<string> {
  const argv = ['git', '-C', repositoryRoot(), 'describe', '--always', '--dirty', '--exclude=*'];
  return (await outputOf(argv)).trim();
}
