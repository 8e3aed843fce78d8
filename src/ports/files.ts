/** Files of this host. */

export interface Files {
  /** Undefined when there is no such file. Throws SystemError for anything else, also for a file above `mostBytes`, 1 MiB unless given. */
  read(
    path: string,
    mostBytes?: number,
  ): Promise<{ readonly content: string; readonly mode: number } | undefined>;
  /** Temporary file, fsync, rename, fsync of the directory; makes missing directories (0755). A reader sees the old file or the new one, never half. */
  write(path: string, content: string, mode: number): Promise<void>;
  /** At the end of a file that is there: ENOENT otherwise. A reader may see a part of it, and so may whoever comes after a crash. */
  append(path: string, content: string): Promise<void>;
  /** Gone already is success. */
  remove(path: string): Promise<void>;
  /** Wakes when one of `paths`, or something in one that is a directory, may have changed, also by rename, symlink swap or re-creation of its directory. */
  watch(paths: readonly string[], wake: () => void, signal: AbortSignal): void;
}
