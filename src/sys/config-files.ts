/** What stands at the path of the configuration: a file, or a directory of them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isConfigFileName } from '../model/config-file-name.js';
import { systemFiles } from './files.js';

/** Nobody keeps more; each is read whole. */
const MOST_FILES = 64;
/** A directory that gives way to another one, as at the beginning and the end of a trial, is missing for less. */
const BETWEEN_NAMES_MS = 50;

interface ConfigFile {
  readonly file: string;
  readonly text: string;
}

/**
 * The file, or the files `*.yaml` and `*.yml` of the directory in the order of their names; hidden ones are left out, as
 * editors and ConfigMaps leave them about. What cannot be read is tried once more after a moment. Rejects with SystemError,
 * or with Error when there is nothing.
 */
export async function configFiles(
  path: string,
  moment = () => setTimeout(BETWEEN_NAMES_MS),
): Promise<readonly ConfigFile[]> {
  try {
    return await filesAt(path);
  } catch {
    await moment();
    return filesAt(path);
  }
}

async function filesAt(path: string): Promise<readonly ConfigFile[]> {
  const paths = (await isDirectory(path)) ? await filesIn(path) : [path];
  return Promise.all(
    paths.map(async (file) => {
      const found = await systemFiles.read(file);
      if (found === undefined) throw new Error(`Cannot read ${file}: there is no such file`);
      return { file, text: found.content };
    }),
  );
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function filesIn(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter(isConfigFileName).sort();
  if (names.length === 0) throw new Error(`Cannot read ${directory}: no file in it ends with .yaml`);
  if (names.length > MOST_FILES) {
    throw new Error(
      `Cannot read ${directory}: it holds ${names.length} files, must be at most ${MOST_FILES}`,
    );
  }
  return names.map((name) => join(directory, name));
}
