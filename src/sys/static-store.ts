/** The store of a network without a server: the peers are written in the file, the same one on every host. */
import type { StaticStoreSection } from '../model/config.js';
import { leaseEntryKey, leaseJson } from '../wire/flannel-store.js';
import { MemoryStore } from './memory-store.js';

/** What this host puts stays in memory. */
export function createStaticStore({ peers }: StaticStoreSection): MemoryStore {
  const initial = peers.map(({ subnets, publicIps }) => ({
    key: leaseEntryKey(subnets),
    value: leaseJson({ publicIps, backendType: '' }),
  }));
  return new MemoryStore({ description: 'static: the peers in the file', clusterId: 'static', initial });
}
