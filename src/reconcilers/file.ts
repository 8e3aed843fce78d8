/** The files that others start from: subnet.env and Docker's options. Where one is wanted, whatever is there is replaced. */

import { diff, type Kind, type Observed } from '../model/diff.js';
import { fileKey } from '../model/keys.js';
import type { FileState } from '../model/objects.js';
import type { Plan } from '../model/plan.js';
import {
  parseWrittenFiles,
  type WrittenFiles,
  whileWriting,
  withFile,
  withoutFile,
  writtenFilesText,
} from '../model/written-files.js';
import type { Files } from '../ports.js';
import { asError } from '../ports.js';
import { carryOut } from './carry-out.js';
import { keptFiles } from './kept-files.js';
import { PathWatch } from './path-watch.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<FileState> = {
  differences(want, have) {
    if (have.unreadable !== undefined) return [have.unreadable];
    const differences: string[] = [];
    if (have.content !== want.content) differences.push(contentDifference(want.content, have.content));
    if (have.mode !== want.mode) differences.push(`mode ${octal(have.mode)}, want ${octal(want.mode)}`);
    return differences;
  },
};

/** With its spread of ±25 % a second at most. */
const MOST_RETRY_MS = 800;

export interface FilePlaces {
  /** The files of this instance, wanted or not. */
  readonly paths: readonly string[];
  /** Keeps what we wrote. */
  readonly recordPath: string;
}

/** Where none is wanted, ours are those that say what we wrote there, also at paths of an earlier configuration. */
export function fileReconciler(files: Files, places: () => FilePlaces): Reconciler<FileState> {
  const watch = new PathWatch(files);

  async function written(): Promise<WrittenFiles> {
    const { recordPath } = places();
    return parseWrittenFiles((await files.read(recordPath).catch(() => undefined))?.content);
  }

  /** One that cannot be read is in the way, and hides none of the others. */
  async function look(path: string): Promise<FileState | undefined> {
    try {
      const file = await files.read(path);
      return file && { path, ...file };
    } catch (error) {
      const unreadable = asError(error).message;
      return { path, content: '', mode: 0, unreadable };
    }
  }

  function record(now: WrittenFiles): Promise<void> {
    return files.write(places().recordPath, writtenFilesText(now), 0o644);
  }

  /** The record first: after a crash in between, the file is known to be ours. Without a record it is written all the same. */
  async function write({ path, content, mode }: FileState): Promise<void> {
    const before = await written();
    const meanwhile = whileWriting(before, path, content);
    const after = withFile(before, path, content);
    const notRecorded = await record(meanwhile).then(
      () => undefined,
      (error: unknown) => error,
    );
    await files.write(path, content, mode);
    if (notRecorded !== undefined) throw notRecorded;
    if (meanwhile.get(path)?.length !== 1) await record(after);
  }

  async function remove(path: string): Promise<void> {
    await files.remove(path);
    const rest = withoutFile(await written(), path);
    if (rest.size === 0) await files.remove(places().recordPath);
    else await record(rest);
  }

  return {
    name: 'file',
    // A disk that was full tells nobody that it has space again.
    mostRetryMs: MOST_RETRY_MS,
    async observe(desired) {
      const { paths } = places();
      watch.follow(paths);
      const wanted = new Set(desired.map(({ state }) => state.path));
      const known = await written();
      const all = [...new Set([...paths, ...wanted, ...known.keys()])];
      const found = await Promise.all(all.map(look));
      return found.flatMap((state): Observed<FileState>[] => {
        if (state === undefined) return [];
        const isOurs = wanted.has(state.path) || known.get(state.path)?.includes(state.content) === true;
        return [{ key: fileKey(state.path), state, ours: isOurs && state.unreadable === undefined }];
      });
    },
    diff(desired, observed): Plan<FileState> {
      const { actions, foreign } = diff(kind, desired, observed);
      const wanted = new Set(desired.map(({ key }) => key));
      const others = observed.flatMap(({ key, state, ours }) => {
        if (wanted.has(key) || ours) return [];
        const reason = state.unreadable ?? 'not what was written here: left alone';
        return [{ key, reason, blocks: false }];
      });
      return { actions, foreign: [...foreign, ...others] };
    },
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, after }) => {
        if (after !== undefined) await write(after);
        else if (before !== undefined) await remove(before.path);
      }),
    keep: (actions, _states, noted) => {
      const paths = actions.flatMap(({ before, after }) => (after ?? before)?.path ?? []);
      return keptFiles(files, [...paths, places().recordPath], noted);
    },
    watch: (wake, signal) => watch.begin(places().paths, wake, signal),
  };
}

/** The first line that is not as wanted: it says more than "content differs". */
function contentDifference(want: string, have: string): string {
  const [wanted, found] = [linesOf(want), linesOf(have)];
  let index = 0;
  // It ends: the contents are not equal.
  while (wanted[index] === found[index]) index++;
  return `line ${index + 1} ${quoted(found[index])}, want ${quoted(wanted[index])}`;
}

/** Each with its line feed, where it has one. */
function linesOf(text: string): readonly string[] {
  return text.split(/(?<=\n)/).filter((line) => line !== '');
}

function quoted(line: string | undefined): string {
  if (line === undefined) return 'none';
  return line.endsWith('\n')
    ? JSON.stringify(line.slice(0, -1))
    : `${JSON.stringify(line)} without line feed`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
