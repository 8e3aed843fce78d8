/** One mistake in the YAML file, with its place: found by src/config, shown by src/cli. */
export interface ConfigError {
  /** As the operator named it. */
  readonly file: string;
  /** Both 1-based, as editors count; a column is a UTF-16 unit. */
  readonly line: number;
  readonly column: number;
  /** `network.backend.port`, `store.static.peers[2].subnet`; empty when the file as a whole is meant. */
  readonly path: string;
  /** The offending value on one line, shortened; absent when nothing is written there or it may be a secret. */
  readonly value?: string;
  /** What is wrong and what is allowed: `82850 is not allowed: must be 1 to 65535`. */
  readonly message: string;
  /** What may have been meant: `did you mean "subnetLength"?`. */
  readonly hint?: string;
}

/** Keys whose value is never shown: somebody may have written the secret itself where its file belongs. */
export const SECRET_KEY = /pass(word|wd|phrase)?|secret|token|key-?_?file/i;
