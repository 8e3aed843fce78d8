/** Whole directories, for who puts one in the place of another. Each rejects with SystemError. */
export interface Directories {
  /** The names in it, sorted; undefined where there is no directory. */
  list(path: string): Promise<readonly string[] | undefined>;
  /** With all that is in it and its owner; nothing may stand at `to`. */
  copy(from: string, to: string): Promise<void>;
  /** A second name for a file on the same file system, durably; nothing may stand at `to`. */
  link(from: string, to: string): Promise<void>;
  /** Under another name on the same file system, at once and durably. A file takes the place of one; else nothing may stand at `to`. */
  move(from: string, to: string): Promise<void>;
  /** A directory with all that is in it, or a file. Gone already is success. */
  removeTree(path: string): Promise<void>;
}
