/** The store's content: entries as they stand there, and what they say. Read by wire/flannel-store.ts. */
import type { Prefix } from './address.js';
import { isSameHost, type Lease, type PublicIps, type Subnets } from './lease.js';
import type { NetworkConfig } from './network.js';
import type { PersistentMap } from './persistent-map.js';

export interface StoreEntry {
  /** Relative to the store's prefix: `config`, `subnets/10.5.34.0-24`. */
  readonly key: string;
  readonly value: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** `'0'` when the key hangs on no etcd lease. */
  readonly lease: string;
}

export interface StoreView {
  /** Absent when no network is published. */
  readonly network?: { readonly config: NetworkConfig } | { readonly error: string };
  /** What a write of the network must expect; absent with it. */
  readonly networkRevision?: bigint;
  /** Fit to be peers; no two of them overlap. */
  readonly leases: readonly Lease[];
  readonly quarantined: readonly QuarantinedLease[];
  /** Leases that went away just now: peers for a moment longer, since their hosts may be back in it. Nobody else's overlaps one of them. */
  readonly held?: readonly Lease[];
  /** How many of those went with most others at once. */
  readonly vanished?: number;
  /** Every subnet that a key names, in `leases` or not: an allocation keeps clear of them. */
  readonly taken: readonly Prefix[];
  /** Where the leases of a host are found without looking through all of them. */
  readonly holders?: LeaseHolders;
}

/** Public address → every lease with it that can be read. */
export type LeaseHolders = PersistentMap<readonly Lease[]>;

/** An entry below `subnets/` that cannot be trusted. It affects nobody else. */
export interface QuarantinedLease {
  /** As in StoreEntry. May hold anything: quote it before it reaches a terminal. */
  readonly key: string;
  /** Safe to print. */
  readonly reason: string;
  /** As far as the key can be read. */
  readonly subnets?: Subnets;
  /** As far as key and value can be read. */
  readonly lease?: Lease;
}

/** Every lease whose key and value can be read, whether it can be a peer or not. */
export function readableLeases({ leases, quarantined }: StoreView): readonly Lease[] {
  return [...leases, ...quarantined.flatMap(({ lease }) => lease ?? [])];
}

/** This host's leases, those that cannot be peers among them. */
export function leasesHeldBy(view: StoreView, own: PublicIps): readonly Lease[] {
  const { holders } = view;
  const addresses = [own.ipv4, own.ipv6].filter((address) => address !== undefined);
  const candidates =
    holders === undefined
      ? readableLeases(view)
      : new Set(addresses.flatMap((address) => holders.get(address) ?? []));
  return [...candidates].filter(({ attributes }) => isSameHost(attributes.publicIps, own));
}
