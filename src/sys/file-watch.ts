/** Tells when what a path leads to may have changed: by inotify on every directory on the way, with a slow poll behind it. */
import { type BigIntStats, type FSWatcher, lstatSync, readlinkSync, watch } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** As the kernel's own limit (MAXSYMLINKS). */
const MOST_LINKS = 40;

/** Directories appear one in the other while we look; more rounds than a path has parts are not needed. */
const MOST_ROUNDS = 10;

/**
 * Calls `wake` after a change of one of `paths`, until `signal` aborts; never keeps the process alive.
 *
 * - A path is followed entry by entry from the root, through symbolic links: each directory on the way is
 *   watched for the one name in it that matters, the deepest that exists standing in for what is missing.
 *   So a swapped link (a Kubernetes ConfigMap's `..data`), a renamed directory and one that appears later
 *   are all a change of some entry.
 * - The watches are in place when this returns, and again before each `wake`: who reads after either misses nothing.
 * - At the end of a path may be a directory: then every name in it matters.
 * - Changes of other names in those directories do not wake.
 * - Every `pollMs` the files are looked at, for what the kernel does not report (other mounts, lost watches).
 */
export function watchPaths(
  paths: readonly string[],
  wake: () => void,
  signal: AbortSignal,
  pollMs: number,
): void {
  if (signal.aborted) return;
  const watching = new TracedPaths(
    paths.map((path) => resolve(path)),
    wake,
  );
  const poll = setInterval(() => watching.look(), pollMs).unref();
  signal.addEventListener('abort', () => {
    clearInterval(poll);
    watching.close();
  });
}

/** No entry of a directory has such a name. */
const EVERY = '/';

interface WatchedDirectory {
  /** Device and inode: another directory may come in its place. */
  readonly identity: string;
  readonly watcher: FSWatcher;
}

class TracedPaths {
  readonly #paths: readonly string[];
  readonly #wake: () => void;
  readonly #watched = new Map<string, WatchedDirectory>();
  #trace: Trace;
  #isPending = false;
  #isClosed = false;

  constructor(paths: readonly string[], wake: () => void) {
    this.#paths = paths;
    this.#wake = wake;
    this.#trace = this.#arm();
  }

  /** Wakes when the files are not what they were. */
  look(): void {
    const before = this.#trace.found;
    this.#trace = this.#arm();
    if (this.#trace.found !== before) this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  /** Watches what the paths lead through now, and nothing else. */
  #arm(): Trace {
    let trace = traced(this.#paths);
    for (let round = 0; round < MOST_ROUNDS; round++) {
      this.#watchOnly(trace);
      // What appeared before its directory was watched was not reported.
      const again = traced(this.#paths);
      const isSame = again.way === trace.way;
      trace = again;
      if (isSame) break;
    }
    return trace;
  }

  #watchOnly({ directories }: Trace): void {
    for (const [path, { identity, watcher }] of this.#watched) {
      if (directories.get(path)?.identity === identity) continue;
      watcher.close();
      this.#watched.delete(path);
    }
    for (const [path, { identity }] of directories) {
      if (this.#watched.has(path)) continue;
      try {
        const watcher = watch(path, { persistent: false }, (_, name) => this.#changed(path, name));
        watcher.on('error', () => this.#drop(path, watcher));
        this.#watched.set(path, { identity, watcher });
      } catch {
        // Gone already, unreadable, or no watch left: the poll remains.
      }
    }
  }

  #drop(path: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watched.get(path)?.watcher === watcher) this.#watched.delete(path);
  }

  #changed(directory: string, name: string | null): void {
    const names = this.#trace.directories.get(directory)?.names;
    const matters = name === null || names?.has(name) || names?.has(EVERY);
    if (!matters || this.#isPending) return;
    this.#isPending = true;
    // One wake for all events that the kernel reports together: an editor's save is four.
    setImmediate(() => {
      this.#isPending = false;
      if (this.#isClosed) return;
      this.#trace = this.#arm();
      this.#wake();
    });
  }
}

/** What some paths lead through and to, at one moment. */
interface Trace {
  readonly directories: ReadonlyMap<string, { readonly identity: string; readonly names: Set<string> }>;
  /** Equal as long as the same directories have to be watched for the same names. */
  readonly way: string;
  /** Equal as long as nothing has changed, neither on the way nor at its end. */
  readonly found: string;
}

function traced(paths: readonly string[]): Trace {
  const directories = new Map<string, { identity: string; names: Set<string> }>();
  const way: string[] = [];
  const found: string[] = [];
  for (const path of paths) {
    const end = follow(path, (directory, identity, name) => {
      const known = directories.get(directory);
      if (known === undefined) directories.set(directory, { identity, names: new Set([name]) });
      else known.names.add(name);
      way.push(directory, identity, name);
    });
    found.push(
      end === undefined
        ? 'absent'
        : `${identityOf(end)} ${end.size} ${end.mode} ${end.mtimeNs} ${end.ctimeNs}`,
    );
  }
  return { directories, way: way.join('\0'), found: [...way, ...found].join('\0') };
}

/** Calls `visit` for every entry on the way, the first missing one included; returns what is at the end. */
function follow(
  path: string,
  visit: (directory: string, identity: string, name: string) => void,
): BigIntStats | undefined {
  const names = partsOf(path);
  let directory = '/';
  let status = statusOf(directory);
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '..') {
      directory = dirname(directory);
      status = statusOf(directory);
      continue;
    }
    if (status === undefined || !status.isDirectory()) return undefined;
    visit(directory, identityOf(status), name);
    const here = join(directory, name);
    const entry = statusOf(here);
    if (!entry?.isSymbolicLink()) {
      directory = here;
      status = entry;
      continue;
    }
    const target = targetOf(here);
    if (target === undefined || ++links > MOST_LINKS) return undefined;
    names.unshift(...partsOf(target));
    if (!target.startsWith('/')) continue;
    directory = '/';
    status = statusOf(directory);
  }
  if (status?.isDirectory()) visit(directory, identityOf(status), EVERY);
  return status;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Undefined for whatever cannot be looked at. Not asynchronous: the paths are few, and a watch that is late misses changes. */
function statusOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
