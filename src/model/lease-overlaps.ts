/** Two leases on one subnet: who keeps it. Every host must decide alike, so only the store's own order counts. */
import { baseOf, type Family, familyOf, lengthOf, overlaps, type Prefix, prefixOf } from './address.js';
import { subnetKey } from './keys.js';
import type { Lease, Subnets } from './lease.js';

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
  const contested = overlapping(leases);
  if (contested.size === 0) return { winners: leases, losers: [] };

  const kept: Lease[] = [];
  const losers: LeaseConflict[] = [];
  for (const lease of [...contested].sort(byAge)) {
    const winner = kept.find((older) => doOverlap(older.subnets, lease.subnets));
    if (winner === undefined) kept.push(lease);
    else losers.push({ lease, reason: `overlaps ${subnetKey(winner.subnets)}, which is older` });
  }
  const lost = new Set(losers.map(({ lease }) => lease));
  return { winners: leases.filter((lease) => !lost.has(lease)), losers };
}

function doOverlap(left: Subnets, right: Subnets): boolean {
  return prefixesOf(left).some((prefix) => prefixesOf(right).some((other) => overlaps(prefix, other)));
}

/** Oldest first. Keys are unique, so no two are equal. */
export function byAge(left: Lease, right: Lease): number {
  if (left.createRevision !== right.createRevision)
    return left.createRevision < right.createRevision ? -1 : 1;
  return subnetKey(left.subnets) < subnetKey(right.subnets) ? -1 : 1;
}

/** Of two prefixes that overlap one contains the other: a look-up per length that occurs finds them all. */
function overlapping(leases: readonly Lease[]): ReadonlySet<Lease> {
  const holders = new Map<Prefix, Lease[]>();
  const lengths: Record<Family, Set<number>> = { ipv4: new Set(), ipv6: new Set() };
  for (const lease of leases) {
    for (const prefix of prefixesOf(lease.subnets)) {
      const others = holders.get(prefix);
      if (others === undefined) holders.set(prefix, [lease]);
      else others.push(lease);
      lengths[familyOf(prefix)].add(lengthOf(prefix));
    }
  }
  const contested = new Set<Lease>();
  for (const [prefix, here] of holders) {
    if (here.length > 1) for (const lease of here) contested.add(lease);
    for (const length of lengths[familyOf(prefix)]) {
      if (length >= lengthOf(prefix)) continue;
      const around = holders.get(prefixOf(baseOf(prefix), length)) ?? [];
      if (around.length > 0) for (const lease of [...here, ...around]) contested.add(lease);
    }
  }
  return contested;
}
