/** The YAML file as the daemon sees it: read again whenever it may have changed. */
import type { Config } from '../../model/config.js';
import type { ConfigPlaces } from '../../model/config-places.js';

export type ConfigReading =
  | { readonly config: Config; readonly places: ConfigPlaces }
  /** Ready to print, every mistake with its place. */
  | { readonly error: string };

export interface ConfigSource {
  readonly path: string;
  read(): Promise<ConfigReading>;
  /** Wakes when the file may have changed, until `signal` aborts. */
  watch(wake: () => void, signal: AbortSignal): void;
}
