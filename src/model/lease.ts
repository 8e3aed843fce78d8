/** Leases: which host holds which subnet. Pure values; wire/flannel-store.ts reads and writes flannel's JSON. */
import type { Address, Prefix } from './address.js';

/** A host's subnet in each family; at least one is there. */
export interface Subnets {
  readonly ipv4?: Prefix;
  readonly ipv6?: Prefix;
}

export interface PublicIps {
  readonly ipv4?: Address;
  readonly ipv6?: Address;
}

/**
 * flannel knows a host by its public IPv4 address. One without, in a network of IPv6 alone, is known by the other: so
 * a host is still itself when its network gains a family or loses one.
 */
export function isSameHost(left: PublicIps, right: PublicIps): boolean {
  if (left.ipv4 !== undefined && right.ipv4 !== undefined) return left.ipv4 === right.ipv4;
  return left.ipv6 !== undefined && left.ipv6 === right.ipv6;
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** What a host publishes about itself: the value of its lease key. */
export interface LeaseAttributes {
  readonly publicIps: PublicIps;
  /** Empty for udp and alloc, which flannel leaves out of the JSON. */
  readonly backendType: string;
  readonly backendData?: JsonValue;
  readonly backendV6Data?: JsonValue;
  /** Fields a newer flannel may have written: kept when the value is rewritten. */
  readonly unknownFields?: { readonly [key: string]: JsonValue };
}

/** In place of an etcd lease's id: the key hangs on none and never expires, which makes it a reservation. */
export const NO_ETCD_LEASE = '0';

/** One lease as it stands in the store. */
export interface Lease {
  readonly subnets: Subnets;
  readonly attributes: LeaseAttributes;
  /** Store revisions, increasing over the whole store. */
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  /** The etcd lease the key hangs on, or NO_ETCD_LEASE. */
  readonly etcdLease: string;
}

/** By the host that is known by `own`. To itself it would be a loop as a peer. */
export function isHeldBy(own: PublicIps, { attributes: { publicIps } }: Lease): boolean {
  return isSameHost(publicIps, own);
}
