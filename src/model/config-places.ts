/** Where the file says something. Made by src/config from the file's text. */

export interface ConfigPlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** The place of a key, such as `network.cidr` or `store.static.peers[1]`; undefined where the file leaves it to its default. */
export type ConfigPlaces = (key: string) => ConfigPlace | undefined;
