/** Files as they were, byte for byte. */
import { equalJson } from '../model/equal-json.js';
import { fileKey } from '../model/keys.js';
import type { Files } from '../ports.js';
import type { Keepsake } from './reconciler.js';

/** Those in `noted` are kept already. Rejects when one cannot be read: what cannot be put back must not be changed. */
export async function keptFiles(
  files: Files,
  paths: readonly string[],
  noted: ReadonlySet<string>,
): Promise<Keepsake> {
  const fresh = new Set(paths.filter((path) => !noted.has(fileKey(path))));
  const look = (path: string) => files.read(path, MOST_BYTES);
  const were = await Promise.all([...fresh].map(async (path) => ({ path, was: await look(path) })));
  return {
    claims: new Set([...fresh].map(fileKey)),
    async takeAway() {
      for (const { path, was } of were)
        if (was === undefined && (await look(path)) !== undefined) await files.remove(path);
    },
    async bringBack() {
      for (const { path, was } of were)
        if (was !== undefined && !equalJson(was, await look(path)))
          await files.write(path, was.content, was.mode);
    },
    async differences() {
      const changed = were.map(async ({ path, was }) =>
        equalJson(was, await look(path))
          ? []
          : [`${fileKey(path)}: ${was ? 'has other content' : 'was not there, is now'}`],
      );
      return (await Promise.all(changed)).flat();
    },
  };
}

/** Of the largest record that this program keeps. */
const MOST_BYTES = 16 * 1024 * 1024;
