/** Where and of what something was measured. */
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { repositoryRoot } from './repository.js';

export function measuringMachine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

/** With `-dirty` when something is not committed. */
export function measuredCommit(): string {
  const describe = ['describe', '--always', '--dirty', '--exclude=*'];
  return execFileSync('git', describe, { cwd: repositoryRoot(), encoding: 'utf8' }).trim();
}
