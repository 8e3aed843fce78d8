/** The configuration file's keys as a reader looks them up. */

export interface KeyReference {
  /** From the top, `[]` for each item of a list: `store.static.peers[].publicIP`. */
  readonly path: string;
  /** What may stand there, in words: `1 to 65535`; `section` for one that holds further keys. */
  readonly type: string;
  /** As it is written in the file; absent where leaving the key out means something else than a value. */
  readonly default?: string;
  readonly description: string;
  /** A value as it is written in the file; absent for sections. */
  readonly example?: string;
  /** Whether a running daemon takes a change of it. */
  readonly isLive: boolean;
}

export interface ConfigReference {
  /** In the order of the schema; a section comes before its keys. */
  readonly keys: readonly KeyReference[];
  /** JSON Schema, draft 2020-12, for editors and pipelines. */
  readonly jsonSchema: object;
  /** The key that may have been meant by a path that is not known. */
  nearest(path: string): string | undefined;
}
