/** The files that others start from: subnet.env and Docker's options. A file is ours by its path. */
import { diff, type Kind } from '../model/diff.js';
import { fileKey } from '../model/keys.js';
import type { FileState } from '../model/objects.js';
import type { Files } from '../ports.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<FileState> = {
  differences(want, have) {
    const differences: string[] = [];
    if (have.content !== want.content) differences.push(contentDifference(want.content, have.content));
    if (have.mode !== want.mode) differences.push(`mode ${octal(have.mode)}, want ${octal(want.mode)}`);
    return differences;
  },
};

/** `paths` are the files of this instance, wanted or not: what is there and not wanted is removed. */
export function fileReconciler(files: Files, paths: () => readonly string[]): Reconciler<FileState> {
  return {
    name: 'file',
    async observe(desired) {
      const places = new Set([...paths(), ...desired.map(({ state }) => state.path)]);
      const read = [...places].map(async (path) => ({ path, file: await files.read(path) }));
      return (await Promise.all(read)).flatMap(({ path, file }) =>
        file === undefined ? [] : [{ key: fileKey(path), state: { path, ...file }, ours: true }],
      );
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, after }) => {
        if (after !== undefined) await files.write(after.path, after.content, after.mode);
        else if (before !== undefined) await files.remove(before.path);
      }),
    watch: (wake, signal) => files.watch(paths(), wake, signal),
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
