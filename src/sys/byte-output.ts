/** Bytes written to a file or to standard output. */
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { type ByteOutput, SystemError } from '../ports.js';

const MODE = 0o600;

/** `-` is standard output. Rejects with SystemError. */
export async function openOutput(path: string): Promise<ByteOutput> {
  if (path === '-') return { write: writeToStdout, close: async () => {} };
  const action = `write ${path}`;
  const file = await fresh(path).catch((error: unknown) => failed(action, error));
  return {
    write: (pieces) => file.writeFile(Buffer.concat(pieces)).catch((error: unknown) => failed(action, error)),
    close: () => file.close(),
  };
}

/** In place of a file, or of a link to one, whoever may read that; what is none, such as a pipe, is written to as it is. */
async function fresh(path: string): Promise<FileHandle> {
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined && !there.isFile()) return open(path, 'w');
  await rm(path, { force: true });
  return open(path, 'wx', MODE);
}

/** A reader that is gone ends the process: see endWithoutReader. */
function writeToStdout(pieces: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve) => process.stdout.write(Buffer.concat(pieces), () => resolve()));
}

function failed(action: string, cause: unknown): never {
  const { message, code = 'EUNKNOWN' } = cause as NodeJS.ErrnoException;
  throw new SystemError(`Cannot ${action}: ${message}`, code, { cause });
}
