/** A host whose address has changed takes its lease along: the subnet, and with it every container, stays as it is. Pure. */
import { isSameHost, type Lease, NO_ETCD_LEASE, type PublicIps } from './lease.js';
import { leasesHeldBy, type StoreView } from './store-view.js';

/** A reservation is the operator's, who has made it for an address. */
function mayMove({ etcdLease }: Lease): boolean {
  return etcdLease !== NO_ETCD_LEASE;
}

/** Whether `lease` was written by this host when it still was at `former`. */
export function isFormerly(former: PublicIps | undefined, lease: Lease): boolean {
  return former !== undefined && mayMove(lease) && isSameHost(lease.attributes.publicIps, former);
}

/** `view` as it will be once the lease that this host has at `former` says `now`; the same where it has one at `now` already. */
export function withMovedLease(view: StoreView, former: PublicIps | undefined, now: PublicIps): StoreView {
  if (former === undefined || leasesHeldBy(view, now).length > 0) return view;
  const { holders: _, ...rest } = view;
  const leases = view.leases.map((lease) => {
    if (!isFormerly(former, lease)) return lease;
    return { ...lease, attributes: { ...lease.attributes, publicIps: now } };
  });
  return { ...rest, leases };
}
