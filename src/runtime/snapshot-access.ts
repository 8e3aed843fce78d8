/** The store read on demand, for one-shot commands; the daemon keeps a mirror instead (store-mirror.ts). */
import type { StoreView } from '../model/store-view.js';
import type { Store } from '../ports.js';
import type { StoreAccess } from '../reconcilers/store-access.js';
import { storeView } from '../wire/flannel-store.js';

export function snapshotAccess(store: Store): StoreAccess {
  let view: StoreView | undefined;
  return {
    store,
    view: () => view,
    async refresh(signal) {
      view = storeView((await store.snapshot(signal)).entries);
    },
  };
}
