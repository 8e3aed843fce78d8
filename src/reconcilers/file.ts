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
  const [wanted, found] = [want.split('\n'), have.split('\n')];
  const index = wanted.findIndex((line, at) => line !== found[at]);
  if (index < 0) return `${found.length - wanted.length} lines too many`;
  return `line ${index + 1} ${JSON.stringify(found[index] ?? '')}, want ${JSON.stringify(wanted[index])}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
