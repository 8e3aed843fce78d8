/**
 * The networks into which routes of ours may lead over a device that is not ours. Such a route is told as ours by its network,
 * and the network may have changed since, or not be known while the store is away: so it is kept in a file.
 */
import { type Prefix, tryParsePrefix } from '../model/address.js';
import { equalJson } from '../model/equal-json.js';
import type { Files } from '../ports.js';
import { keptFiles } from './kept-files.js';
import type { Keepsake } from './reconciler.js';

const MODE = 0o644;

export class NetworkRecord {
  readonly #files: Files;
  readonly #path: string;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Whatever cannot be read as a record says that there are none: then fewer routes are ours. */
  async read(): Promise<readonly Prefix[]> {
    try {
      const texts = JSON.parse((await this.#files.read(this.#path))?.content ?? '[]') as readonly unknown[];
      return texts.flatMap((text) => (typeof text === 'string' && tryParsePrefix(text)) || []);
    } catch {
      return [];
    }
  }

  /** Writes nothing when they are in it already. Rejects with SystemError. */
  async add(networks: readonly Prefix[]): Promise<void> {
    const before = await this.read();
    await this.#replace(before, [...new Set([...before, ...networks])]);
  }

  /** Takes out those for which `isInUse` is false. */
  async prune(isInUse: (network: Prefix) => boolean): Promise<void> {
    const before = await this.read();
    await this.#replace(before, before.filter(isInUse));
  }

  /** As it is now; see Reconciler. */
  keep(noted: ReadonlySet<string>): Promise<Keepsake> {
    return keptFiles(this.#files, [this.#path], noted);
  }

  async #replace(before: readonly Prefix[], after: readonly Prefix[]): Promise<void> {
    if (equalJson(before, after)) return;
    if (after.length === 0) await this.#files.remove(this.#path);
    else await this.#files.write(this.#path, `${JSON.stringify(after)}\n`, MODE);
  }
}
