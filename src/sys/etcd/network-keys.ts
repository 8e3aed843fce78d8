/** The keys of one network: theirs in etcd, ours relative to the store's prefix, and what etcd says of them. */
import type { IEvent, IKeyValue } from 'etcd3';
import type { StoreEntry, StoreEvent } from '../../ports.js';
import type { KeyRange } from './watch.js';

export class NetworkKeys {
  /** With a trailing slash, so that a sibling such as `/coreos.com/network2` is none of ours. */
  readonly #root: string;

  /** `prefix` as in the file: `/coreos.com/network`. */
  constructor(prefix: string) {
    this.#root = `${prefix}/`;
  }

  /** Of all that belongs to the network. */
  ranges(): readonly KeyRange[] {
    return [
      { key: this.path('config') },
      // '0' is the character after '/': the end of everything below `subnets/`.
      { key: this.path('subnets/'), rangeEnd: this.path('subnets0') },
    ];
  }

  path(key: string): Buffer {
    return Buffer.from(this.#root + key);
  }

  entry(kv: IKeyValue): StoreEntry {
    return {
      key: this.#relative(kv.key),
      value: kv.value.toString('utf8'),
      createRevision: BigInt(kv.create_revision),
      modRevision: BigInt(kv.mod_revision),
      lease: kv.lease,
    };
  }

  event({ type, kv }: IEvent): StoreEvent {
    if (type === 'Put') return { type: 'put', entry: this.entry(kv) };
    return { type: 'delete', key: this.#relative(kv.key), modRevision: BigInt(kv.mod_revision) };
  }

  #relative(key: Buffer): string {
    return key.toString('utf8').slice(this.#root.length);
  }
}
