/**
 * Loaded by `make test` before each test file (`node --import`). Files run side by side, save those of test/alone:
 * such a one waits until no other runs, and holds the others back. The lock ends with the process (flock(2)).
 */
import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const LOCK = fileURLToPath(new URL('../../.turn', import.meta.url));

// The runner itself loads this too. It must not wait for its own files.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  const mode = process.argv[1]?.includes('/dist/test/alone/') ? '--exclusive' : '--shared';
  const { status, error } = spawnSync('flock', [mode, '3'], {
    stdio: ['ignore', 'inherit', 'inherit', openSync(LOCK, 'a')],
  });
  if (status !== 0) throw new Error(`Cannot wait for a turn: flock ended with ${status}`, { cause: error });
}
