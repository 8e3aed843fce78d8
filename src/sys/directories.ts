/** Whole directories on the disk. */
import { constants } from 'node:fs';
import { cp, lchown, link, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Directories, SystemError } from '../ports.js';

export const systemDirectories: Directories = {
  async list(path) {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined;
      throw systemError(`read ${path}`, error);
    }
  },

  async copy(from, to) {
    try {
      // Links stay what they are.
      await cp(from, to, { recursive: true, errorOnExist: true, force: false, verbatimSymlinks: true });
      for (const name of ['.', ...(await readdir(from, { recursive: true }))]) {
        const { uid, gid } = await lstat(join(from, name));
        await lchown(join(to, name), uid, gid).catch(() => {}); // Only root gives away.
      }
    } catch (error) {
      throw systemError(`copy ${from} to ${to}`, error);
    }
  },

  async link(from, to) {
    try {
      await link(from, to);
      await synchronise(dirname(to));
    } catch (error) {
      throw systemError(`link ${to} to ${from}`, error);
    }
  },

  async move(from, to) {
    try {
      await rename(from, to);
      await synchronise(dirname(to));
    } catch (error) {
      throw systemError(`rename ${from} to ${to}`, error);
    }
  },

  async removeTree(path) {
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      throw systemError(`remove ${path}`, error);
    }
  },
};

/** Makes the new name survive a crash. */
async function synchronise(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'EUNKNOWN';
}

function systemError(action: string, cause: unknown): SystemError {
  return new SystemError(`Cannot ${action}: ${(cause as Error).message}`, codeOf(cause), { cause });
}
