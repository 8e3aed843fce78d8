/** Which subnets this host goes on with, or takes: its leases first, then the allocation's choice. */
import { overlaps, type Prefix } from './address.js';
import { plannedSubnets } from './allocation.js';
import type { Config } from './config.js';
import type { HostFacts } from './host.js';
import { isHeldBy, type Lease, type PublicIps, type Subnets } from './lease.js';
import { prefixesOf } from './lease-overlaps.js';
import type { NetworkConfig } from './network.js';
import { heldLeasesOfOthers, leasesOfOthers } from './other-leases.js';
import { leasesHeldBy, type StoreView } from './store-view.js';

export interface OwnSubnets {
  readonly subnets: Subnets;
  /** How they were come by: `own lease`, `allocated`. */
  readonly reason: string;
}

export function ownSubnets(
  { host: section }: Config,
  network: NetworkConfig,
  store: StoreView,
  host: HostFacts,
  publicIps: PublicIps,
): OwnSubnets | { readonly error: string } {
  const setAside = ownLeasesSetAside(store, publicIps);
  const common = {
    network,
    publicIps,
    pinned: section.subnets,
    ...(host.previousSubnets && { previous: host.previousSubnets }),
  };
  // Who has a lease goes on with it, whatever the others hold: all of them are looked at only for a new one.
  const own = [...ownLeases(store, publicIps), ...setAside];
  const kept = plannedSubnets({ ...common, leases: own, taken: [] });
  if ('subnets' in kept && isKept(kept.why)) return { subnets: kept.subnets, reason: kept.why };
  const planned = plannedSubnets({
    ...common,
    leases: [...store.leases, ...setAside],
    // A host that comes back takes its own subnet again: nobody else may in between.
    taken: [
      ...store.taken,
      ...heldLeasesOfOthers(store, publicIps).flatMap(({ subnets }) => prefixesOf(subnets)),
    ],
  });
  return 'error' in planned ? planned : { subnets: planned.subnets, reason: planned.why };
}

/** Whether a subnet that was come by so is this host's already. */
export function isKept(reason: string): boolean {
  return KEPT.has(reason);
}

const KEPT: ReadonlySet<string> = new Set(['own lease', 'reservation']);

function ownLeases(store: StoreView, publicIps: PublicIps): readonly Lease[] {
  const setAside = new Set(store.quarantined.flatMap(({ lease }) => lease ?? []));
  return leasesHeldBy(store, publicIps).filter((lease) => !setAside.has(lease));
}

/** This host's leases that were set aside for the sake of no other host: only an older one of its own overlaps them. */
function ownLeasesSetAside(store: StoreView, own: PublicIps): readonly Lease[] {
  const setAside = store.quarantined.flatMap(({ lease }) => (lease && isHeldBy(own, lease) ? lease : []));
  if (setAside.length === 0) return [];
  const held = leasesOfOthers(store, own).flatMap(({ subnets }) => prefixesOf(subnets));
  const isFree = (prefix: Prefix) => !held.some((other) => overlaps(prefix, other));
  return setAside.filter((lease) => prefixesOf(lease.subnets).every(isFree));
}
