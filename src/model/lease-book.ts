/**
 * What was read of every entry, sorted: leases that can be peers, and what is set aside. It remembers how it sorted, so
 * that a changed lease is held against those that it overlaps and no others.
 */
import type { Lease } from './lease.js';
import { addTo, overlapping, prefixesOf, removeFrom, withoutOverlaps } from './lease-overlaps.js';
import { OverlapIndex } from './overlap-index.js';
import { PersistentMap } from './persistent-map.js';
import type { LeaseHolders, QuarantinedLease } from './store-view.js';
import { TrackedList } from './tracked-list.js';

/** An entry with its key in the store. */
export interface ReadEntry {
  readonly key: string;
  readonly read: Lease | QuarantinedLease;
}

export class LeaseBook {
  #entries = TrackedList.empty<ReadEntry>();
  #leases = TrackedList.empty<Lease>();
  #quarantined = TrackedList.empty<QuarantinedLease>();
  #holders: LeaseHolders = PersistentMap.empty();
  readonly #keyOf = new WeakMap<Lease, string>();
  readonly #index = new OverlapIndex<Lease>();

  get leases(): readonly Lease[] {
    return this.#leases.list;
  }

  get quarantined(): readonly QuarantinedLease[] {
    return this.#quarantined.list;
  }

  get holders(): LeaseHolders {
    return this.#holders;
  }

  /** From now on these are the entries. */
  turnTo(entries: TrackedList<ReadEntry>): void {
    const keys = [...entries.differences(this.#entries)];
    const befores = keys.map((key) => this.#entries.get(key)?.read);
    const afters = keys.map((key) => entries.get(key)?.read);
    this.#entries = entries;
    for (const read of befores) this.#forget(read);
    keys.forEach((key, at) => {
      this.#note(key, afters[at]);
    });
    this.#quarantined = this.#quarantined.edited(
      keys.map((key, at) => [key, isQuarantined(afters[at]) ? afters[at] : undefined]),
    );
    this.#leases = this.#leases.edited(keys.map((key, at) => [key, fit(afters[at])]));
    this.#judge(this.#touched([...befores, ...afters].flatMap((read) => fit(read) ?? [])));
  }

  /** No entry that could be a peer has an address in common with any of these. */
  isFree({ subnets }: Lease): boolean {
    return prefixesOf(subnets).every((prefix) => this.#index.overlapping(prefix).next().done);
  }

  #forget(read: ReadEntry['read'] | undefined): void {
    const [lease, peer] = [read && leaseIn(read), fit(read)];
    if (peer !== undefined) removeFrom(this.#index, peer);
    if (lease !== undefined) this.#hold(lease, (held) => held.filter((other) => other !== lease));
  }

  #note(key: string, read: ReadEntry['read'] | undefined): void {
    const [lease, peer] = [read && leaseIn(read), fit(read)];
    if (peer !== undefined) {
      addTo(this.#index, peer);
      this.#keyOf.set(peer, key);
    }
    if (lease !== undefined) this.#hold(lease, (held) => [...held, lease]);
  }

  #hold(lease: Lease, change: (held: readonly Lease[]) => readonly Lease[]): void {
    const { ipv4, ipv6 } = lease.attributes.publicIps;
    for (const address of [ipv4, ipv6]) {
      if (address === undefined) continue;
      const held = change(this.#holders.get(address) ?? []);
      this.#holders = this.#holders.with(address, held.length === 0 ? undefined : held);
    }
  }

  /** All that overlap one of these, or one that overlaps one of these, and so on: who of them wins may have changed. */
  #touched(changed: readonly Lease[]): ReadonlySet<Lease> {
    const contested = new Set<Lease>();
    for (const lease of changed) {
      const others = overlapping(this.#index, lease);
      others.delete(lease);
      if (others.size > 0 && this.#isCurrent(lease)) contested.add(lease);
      for (const other of others) contested.add(other);
    }
    // What is added meanwhile is come to as well.
    for (const lease of contested) for (const other of overlapping(this.#index, lease)) contested.add(other);
    return contested;
  }

  #isCurrent(lease: Lease): boolean {
    const key = this.#keyOf.get(lease);
    return key !== undefined && this.#entries.get(key)?.read === lease;
  }

  #judge(contested: ReadonlySet<Lease>): void {
    if (contested.size === 0) return;
    const { winners, losers } = withoutOverlaps([...contested]);
    const key = (lease: Lease) => this.#keyOf.get(lease) as string;
    this.#leases = this.#leases.edited([
      ...winners.map((lease) => [key(lease), lease] as const),
      ...losers.map(({ lease }) => [key(lease), undefined] as const),
    ]);
    this.#quarantined = this.#quarantined.edited([
      ...winners.map((lease) => [key(lease), undefined] as const),
      ...losers.map(
        ({ lease, reason }) =>
          [key(lease), { key: key(lease), reason, subnets: lease.subnets, lease }] as const,
      ),
    ]);
  }
}

function isQuarantined(read: ReadEntry['read'] | undefined): read is QuarantinedLease {
  return read !== undefined && 'reason' in read;
}

/** The lease, if it can be a peer. */
function fit(read: ReadEntry['read'] | undefined): Lease | undefined {
  return read === undefined || isQuarantined(read) ? undefined : read;
}

function leaseIn(read: Lease | QuarantinedLease): Lease | undefined {
  return isQuarantined(read) ? read.lease : read;
}
