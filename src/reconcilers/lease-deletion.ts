/** Takes a lease out of the store, with the etcd lease that its key hangs on. */
import { type Lease, NO_ETCD_LEASE } from '../model/lease.js';
import { readableLeases, type StoreView } from '../model/store-view.js';
import type { Store } from '../ports.js';
import { leaseEntryKey } from '../wire/flannel-store.js';

/** False, and nothing is done, when the entry is not the one of `view` any more: its host lives. */
export async function deleteLease(
  store: Pick<Store, 'compareAndDelete' | 'revokeLease'>,
  view: StoreView,
  { subnets, modRevision, etcdLease }: Lease,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await store.compareAndDelete(leaseEntryKey(subnets), modRevision, signal))) return false;
  // flannel hangs one key on an etcd lease; whoever hung more on it keeps them.
  const isShared = readableLeases(view).filter((other) => other.etcdLease === etcdLease).length > 1;
  if (etcdLease !== NO_ETCD_LEASE && !isShared) await store.revokeLease(etcdLease, signal);
  return true;
}
