/** Watches the files that are wanted now: the configuration may name others while the daemon runs. */
import type { Files } from '../ports.js';

export class PathWatch {
  readonly #files: Files;
  #wanted: { readonly wake: () => void; readonly signal: AbortSignal } | undefined;
  #watched: { readonly paths: readonly string[]; readonly stop: AbortController } | undefined;

  constructor(files: Files) {
    this.#files = files;
  }

  /** Wakes for the paths last given to `follow`, until `signal` aborts. */
  begin(paths: readonly string[], wake: () => void, signal: AbortSignal): void {
    this.#wanted = { wake, signal };
    this.follow(paths);
  }

  /** From now on these. Costs nothing while they stay the same. */
  follow(paths: readonly string[]): void {
    if (this.#wanted === undefined || sameList(this.#watched?.paths, paths)) return;
    const { wake, signal } = this.#wanted;
    const stop = new AbortController();
    // The new watch first: nothing may happen unseen in between.
    this.#files.watch(paths, wake, AbortSignal.any([signal, stop.signal]));
    this.#watched?.stop.abort();
    this.#watched = { paths, stop };
  }
}

function sameList(left: readonly string[] | undefined, right: readonly string[]): boolean {
  return left?.length === right.length && left.every((path, index) => path === right[index]);
}
