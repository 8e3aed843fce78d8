/** The store read on demand, for one-shot commands; the daemon keeps a mirror instead (store-mirror.ts). */
import type { NetworkConfig } from '../../model/network.js';
import type { StoreView } from '../../model/store-view.js';
import type { Store } from '../../ports.js';
import type { StoreAccess } from '../../reconcilers/store-access.js';
import { storeView } from '../../wire/flannel-store.js';

/** `declared` is the network that the file declares, if it does. */
export function snapshotAccess(store: Store, declared?: NetworkConfig): StoreAccess {
  let view: StoreView | undefined;
  return {
    store,
    view: () => view,
    async refresh(signal) {
      view = storeView((await store.snapshot(signal)).entries, declared);
    },
  };
}
