/** Files in memory, as strict as a disk: the contract suite runs over both. Absolute paths without symbolic links. */
import { type Directories, type Files, SystemError } from '../../src/ports.js';

const MOST_BYTES = 1024 * 1024;

export class FakeFiles implements Files, Directories {
  readonly #files = new Map<string, { content: string; mode: number }>();
  readonly #directories = new Set(['/']);
  readonly #watchers = new Set<{ readonly paths: readonly string[]; readonly wake: () => void }>();
  /** How often the port wrote or removed: steady state does neither. */
  writes = 0;
  /** While set, every read, or every write and removal, rejects with it. */
  failure: { readonly reads?: Error; readonly writes?: Error } = {};

  constructor(contents: Readonly<Record<string, string>> = {}) {
    for (const [path, content] of Object.entries(contents)) this.edit(path, content);
  }

  async read(
    path: string,
    mostBytes = MOST_BYTES,
  ): Promise<{ readonly content: string; readonly mode: number } | undefined> {
    if (this.failure.reads !== undefined) throw this.failure.reads;
    if (this.#directories.has(path)) throw refusal('read', path, 'EISDIR');
    const file = this.#files.get(path);
    if (file !== undefined && new TextEncoder().encode(file.content).length > mostBytes) {
      throw refusal('read', path, 'EFBIG');
    }
    return file && { ...file };
  }

  async write(path: string, content: string, mode: number): Promise<void> {
    if (this.failure.writes !== undefined) throw this.failure.writes;
    if (this.#directories.has(path)) throw refusal('write', path, 'EISDIR');
    if (parentsOf(path).some((parent) => this.#files.has(parent))) throw refusal('write', path, 'ENOTDIR');
    this.writes++;
    this.#put(path, content, mode);
  }

  async append(path: string, content: string): Promise<void> {
    if (this.failure.writes !== undefined) throw this.failure.writes;
    if (this.#directories.has(path)) throw refusal('append to', path, 'EISDIR');
    const file = this.#files.get(path);
    if (file === undefined) throw refusal('append to', path, 'ENOENT');
    this.writes++;
    this.#put(path, file.content + content, file.mode);
  }

  async remove(path: string): Promise<void> {
    if (this.failure.writes !== undefined) throw this.failure.writes;
    if (this.#directories.has(path)) throw refusal('remove', path, 'EISDIR');
    this.writes++;
    if (this.#files.delete(path)) this.#changed(path);
  }

  async list(path: string): Promise<readonly string[] | undefined> {
    if (!this.#directories.has(path)) return undefined;
    const places = [...this.#files.keys(), ...this.#directories];
    return places
      .filter((place) => place !== path && parentsOf(place).at(-1) === path)
      .map((place) => place.slice(path.length + 1))
      .sort();
  }

  async copy(from: string, to: string): Promise<void> {
    if (this.failure.writes !== undefined) throw this.failure.writes;
    if (!this.#directories.has(from)) throw refusal('copy', from, 'ENOENT');
    if (this.#directories.has(to) || this.#files.has(to)) throw refusal('copy to', to, 'EEXIST');
    this.writes++;
    this.#directories.add(to);
    for (const [path, { content, mode }] of this.#files)
      if (path.startsWith(`${from}/`)) this.#put(to + path.slice(from.length), content, mode);
  }

  async link(from: string, to: string): Promise<void> {
    if (this.failure.writes !== undefined) throw this.failure.writes;
    const file = this.#files.get(from);
    if (file === undefined) throw refusal('link', from, 'ENOENT');
    if (this.#directories.has(to) || this.#files.has(to)) throw refusal('link to', to, 'EEXIST');
    this.writes++;
    // What is written to one of the names takes its place, and leaves the other as it is.
    this.#put(to, file.content, file.mode);
  }

  async move(from: string, to: string): Promise<void> {
    const file = this.#files.get(from);
    if (this.#directories.has(to) || (file === undefined && this.#files.has(to)))
      throw refusal('rename to', to, 'EEXIST');
    if (file === undefined) await this.copy(from, to);
    else await this.write(to, file.content, file.mode);
    this.delete(from);
  }

  async removeTree(path: string): Promise<void> {
    if (this.failure.writes !== undefined) throw this.failure.writes;
    this.writes++;
    this.delete(path);
  }

  watch(paths: readonly string[], wake: () => void, signal: AbortSignal): void {
    if (signal.aborted) return;
    const watcher = { paths, wake };
    this.#watchers.add(watcher);
    signal.addEventListener('abort', () => this.#watchers.delete(watcher));
  }

  /** A line for each file, sorted. */
  lines(): readonly string[] {
    const line = (path: string, { content, mode }: { content: string; mode: number }) =>
      `file ${path} ${mode.toString(8).padStart(4, '0')} ${JSON.stringify(content)}`;
    return [...this.#files].map(([path, file]) => line(path, file)).sort();
  }

  contentOf(path: string): string | undefined {
    return this.#files.get(path)?.content;
  }

  // ---- what others do to the disk ----

  /** As an editor does: makes or changes the file; its mode stays. */
  edit(path: string, content: string): void {
    this.#put(path, content, this.#files.get(path)?.mode ?? 0o644);
  }

  chmod(path: string, mode: number): void {
    const file = this.#files.get(path);
    if (file === undefined) throw refusal('chmod', path, 'ENOENT');
    this.#put(path, file.content, mode);
  }

  /** Removes a file, or a directory with all that is in it. */
  delete(path: string): void {
    const gone = [...this.#files.keys(), ...this.#directories].filter(
      (place) => place === path || place.startsWith(`${path}/`),
    );
    for (const place of gone) {
      this.#directories.delete(place);
      if (this.#files.delete(place)) this.#changed(place);
    }
  }

  #put(path: string, content: string, mode: number): void {
    for (const parent of parentsOf(path)) this.#directories.add(parent);
    this.#files.set(path, { content, mode });
    this.#changed(path);
  }

  #changed(path: string): void {
    for (const { paths, wake } of this.#watchers) if (paths.includes(path)) queueMicrotask(wake);
  }
}

/** `/a`, `/a/b` of `/a/b/c`. */
function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

function refusal(action: string, path: string, code: string): SystemError {
  return new SystemError(`Cannot ${action} ${path}: ${code}`, code);
}
