/** The store as the reconcilers of its objects see it: what is known of it, and the way to write. */
import type { StoreView } from '../model/store-view.js';
import { ObserveError, type Store } from '../ports.js';

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
