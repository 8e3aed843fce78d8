/** Neighbours and forwarding entries as Linux keeps them: what they are told apart by, and what is refused. */
import { isDeepStrictEqual } from 'node:util';
import { familyOf } from '../../src/model/address.js';
import type { NetlinkFdbEntry, NetlinkNeighbour, NetlinkRequest } from '../../src/ports.js';
import { Refusal } from './fake-fib.js';
import type { FakeLinks } from './fake-links.js';

type ChangeNeighbour = Extract<NetlinkRequest, { op: 'replace-neighbour' | 'delete-neighbour' }>;
type ChangeFdb = Extract<NetlinkRequest, { op: 'replace-fdb' | 'delete-fdb' }>;

export class FakeNeighbours {
  readonly #links: FakeLinks;
  #neighbours: readonly NetlinkNeighbour[] = [];
  #fdb: readonly NetlinkFdbEntry[] = [];

  constructor(links: FakeLinks) {
    this.#links = links;
  }

  neighbours(): readonly NetlinkNeighbour[] {
    return this.#neighbours;
  }

  fdb(): readonly NetlinkFdbEntry[] {
    return this.#fdb;
  }

  changeNeighbour({ op, ...entry }: ChangeNeighbour): void {
    this.#links.get(entry.link);
    const others = this.#neighbours.filter(
      ({ link, address }) => link !== entry.link || address !== entry.address,
    );
    if (op === 'delete-neighbour' && others.length === this.#neighbours.length)
      throw new Refusal('ENOENT', 'No such file or directory');
    this.#neighbours = op === 'delete-neighbour' ? others : [...others, { ...entry, permanent: true }];
  }

  changeFdb({ op, ...entry }: ChangeFdb): void {
    const { vxlan } = this.#links.get(entry.link);
    if (vxlan === undefined) throw new Refusal('EOPNOTSUPP', 'Operation not supported');
    const ofMac = ({ link, mac }: NetlinkFdbEntry) => link === entry.link && mac === entry.mac;
    if (op === 'delete-fdb') {
      const there = this.#fdb.find(ofMac);
      if (there === undefined) throw new Refusal('ENOENT', 'No such file or directory');
      // Linux deletes nothing then, and says that it did.
      const isThis = there.destination === entry.destination;
      if (!isThis || !isDeepStrictEqual(there.overrides, entry.overrides)) return;
    } else if (familyOf(entry.destination) !== (vxlan.local === undefined ? 'ipv4' : familyOf(vxlan.local))) {
      throw new Refusal('EAFNOSUPPORT', 'Address family not supported by protocol');
    }
    const others = this.#fdb.filter((other) => !ofMac(other));
    this.#fdb = op === 'delete-fdb' ? others : [...others, { ...entry, permanent: true }];
  }

  /** Whether there were any. */
  dropNeighbours(name: string): boolean {
    const before = this.#neighbours.length;
    this.#neighbours = this.#neighbours.filter(({ link }) => link !== name);
    return this.#neighbours.length !== before;
  }

  dropFdb(name: string): void {
    this.#fdb = this.#fdb.filter(({ link }) => link !== name);
  }
}
