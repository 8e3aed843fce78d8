/** Two leases on one subnet: who keeps it. Every host must decide alike, so only the store's own order counts. */
import type { Prefix } from './address.js';
import { subnetKey } from './keys.js';
import type { Lease, Subnets } from './lease.js';
import { OverlapIndex } from './overlap-index.js';

export interface LeaseConflict {
  readonly lease: Lease;
  readonly reason: string;
}

export function prefixesOf(subnets: Subnets | undefined): readonly Prefix[] {
  const { ipv4, ipv6 } = subnets ?? {};
  return [...(ipv4 === undefined ? [] : [ipv4]), ...(ipv6 === undefined ? [] : [ipv6])];
}

/** Of leases that overlap the oldest stays, by create revision; the order of `leases` does not matter. */
export function withoutOverlaps(leases: readonly Lease[]): {
  readonly winners: readonly Lease[];
  readonly losers: readonly LeaseConflict[];
} {
  const kept = new OverlapIndex<Lease>();
  const losers = new Map<Lease, LeaseConflict>();
  for (const lease of [...leases].sort(byAge)) {
    const older = overlapping(kept, lease);
    const winner = older.size === 0 ? undefined : [...older].sort(byAge)[0];
    if (winner === undefined) addTo(kept, lease);
    else losers.set(lease, { lease, reason: `overlaps ${subnetKey(winner.subnets)}, which is older` });
  }
  if (losers.size === 0) return { winners: leases, losers: [] };
  return { winners: leases.filter((lease) => !losers.has(lease)), losers: [...losers.values()] };
}

export function addTo(index: OverlapIndex<Lease>, lease: Lease): void {
  for (const prefix of prefixesOf(lease.subnets)) index.add(prefix, lease);
}

export function removeFrom(index: OverlapIndex<Lease>, lease: Lease): void {
  for (const prefix of prefixesOf(lease.subnets)) index.remove(prefix, lease);
}

/** Those in `index` whose subnets have an address in common with this one's. */
export function overlapping(index: OverlapIndex<Lease>, { subnets }: Lease): Set<Lease> {
  const found = new Set<Lease>();
  for (const prefix of prefixesOf(subnets)) {
    for (const lease of index.overlapping(prefix)) found.add(lease);
  }
  return found;
}

/** Oldest first. Keys are unique, so no two are equal. */
export function byAge(left: Lease, right: Lease): number {
  if (left.createRevision !== right.createRevision)
    return left.createRevision < right.createRevision ? -1 : 1;
  return subnetKey(left.subnets) < subnetKey(right.subnets) ? -1 : 1;
}
