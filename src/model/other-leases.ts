/** The leases of the other hosts, as this one is known by `own`. */
import { subnetKey } from './keys.js';
import { isHeldBy, type Lease, type PublicIps } from './lease.js';
import type { StoreView } from './store-view.js';
import { TrackedList } from './tracked-list.js';

export function leasesOfOthers({ leases }: StoreView, own: PublicIps): readonly Lease[] {
  return leases.filter((lease) => !isHeldBy(own, lease));
}

/** The other hosts' leases that are gone for a moment. */
export function heldLeasesOfOthers({ held = [] }: StoreView, own: PublicIps): readonly Lease[] {
  return held.filter((lease) => !isHeldBy(own, lease));
}

/** `others` with those. Still a tracked list: what is held comes and goes while hosts do, among however many others. */
export function withHeld(others: readonly Lease[], store: StoreView, own: PublicIps): readonly Lease[] {
  const held = heldLeasesOfOthers(store, own);
  if (held.length === 0) return others;
  const tracked = TrackedList.of(others);
  if (tracked === undefined) return [...others, ...held];
  return tracked.edited(held.map((lease) => [`held ${subnetKey(lease.subnets)}`, lease])).list;
}
