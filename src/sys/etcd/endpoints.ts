/** Which member of the cluster is asked: always the same one until it fails, then the next. */
import type { Etcd3 } from 'etcd3';
import type { EtcdStoreSection } from '../../model/config.js';
import { openClient, type ReadSecret } from './client.js';

export class Endpoints {
  readonly #section: EtcdStoreSection;
  readonly #readSecret: ReadSecret;
  #current: number;
  #client: Promise<Etcd3> | undefined;
  #isClosed = false;

  /** `chance` in [0, 1) picks the first one: a hundred hosts spread over the members. */
  constructor(section: EtcdStoreSection, readSecret: ReadSecret, chance: number) {
    this.#section = section;
    this.#readSecret = readSecret;
    this.#current = Math.floor(chance * section.endpoints.length);
  }

  get count(): number {
    return this.#section.endpoints.length;
  }

  get current(): string {
    return this.#section.endpoints[this.#current] ?? '';
  }

  /** The one for all calls. */
  client(): Promise<Etcd3> {
    this.#client ??= this.open().then((client) => {
      if (this.#isClosed) client.close();
      return client;
    });
    return this.#client;
  }

  /** One of the caller's own, for a stream that outlives calls: etcd3 drops all of a client's streams when one call fails. */
  open(): Promise<Etcd3> {
    return openClient(this.current, this.#section, this.#readSecret);
  }

  /**
   * `endpoint` did not serve: the next call opens a client to the next one, with certificates and password read
   * anew. Does nothing when somebody else said so first.
   */
  failed(endpoint: string): void {
    if (endpoint !== this.current) return;
    this.#drop();
    this.#current = (this.#current + 1) % this.count;
  }

  /** The next call logs in anew, at the same one. Does nothing when `client` is in use no more. */
  logInAnew(client: Promise<Etcd3>): void {
    if (client === this.#client) this.#drop();
  }

  /** The next call opens a client of its own, at the same one, with certificates and password read anew. */
  renew(): void {
    this.#drop();
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #drop(): void {
    // A client that could not be opened has nothing to close.
    this.#client?.then(
      (client) => client.close(),
      () => {},
    );
    this.#client = undefined;
  }
}
