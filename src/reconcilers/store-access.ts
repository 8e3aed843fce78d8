/** The store as the reconcilers of its objects see it: what is known of it, and the way to write. */
import { type Lease, NO_ETCD_LEASE } from '../model/lease.js';
import { readableLeases, type StoreView } from '../model/store-view.js';
import { ObserveError, type Store } from '../ports.js';
import { leaseEntryKey } from '../wire/flannel-store.js';

export interface StoreAccess {
  readonly store: Store;
  /** Undefined until the store has been read once. */
  view(): StoreView | undefined;
  /** Reads the store anew; afterwards `view` is at least as new as every write that was answered before the call. */
  refresh(signal: AbortSignal): Promise<void>;
}

/** Throws ObserveError when the store was never read: nothing is planned on a guess. */
export function knownView(access: StoreAccess): StoreView {
  const view = access.view();
  if (view === undefined) throw new ObserveError(`Cannot read ${access.store.description}: no answer yet`);
  return view;
}

/** Somebody else wrote the key between our reading and our writing it: what was planned is out of date. */
export class LostRaceError extends Error {
  override readonly name = 'LostRaceError';
}

/**
 * Takes a lease out of the store, with the etcd lease that its key hangs on. False, and nothing is done, when the
 * entry is not the one of `view` any more: its host lives.
 */
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
