/** Bytes written to a file or to standard output. */
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { type ByteOutput, SystemError } from '../ports.js';
import { leaveOutputErrors } from './process.js';

const MODE = 0o600;

/** `-` is standard output. Rejects with SystemError. */
export async function openOutput(path: string): Promise<ByteOutput> {
  if (path === '-') return standardOutput();
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

function standardOutput(): ByteOutput {
  leaveOutputErrors();
  return {
    write: (pieces) =>
      new Promise<void>((resolve, reject) => {
        process.stdout.write(Buffer.concat(pieces), (error) => (error ? reject(error) : resolve()));
      }).catch((error: unknown) => failed('write to standard output', error)),
    close: async () => {},
  };
}

function failed(action: string, cause: unknown): never {
  const { message, code = 'EUNKNOWN' } = cause as NodeJS.ErrnoException;
  throw new SystemError(`Cannot ${action}: ${message}`, code, { cause });
}
