/** Which network this host is to be in: the file's, the store's, or while those two differ the one that it is up in. */

import { BackendError } from './backends/backend.js';
import { backendPlan } from './backends/table.js';
import type { Config } from './config.js';
import { equalJson } from './equal-json.js';
import type { HostFacts } from './host.js';
import type { Lease } from './lease.js';
import { familiesOf, type NetworkConfig } from './network.js';
import { networkDifferences, subnetMisfit } from './network-rules.js';
import { leasesHeldBy, type StoreView } from './store-view.js';

/** The file's network where it declares one, else the store's; `missing` says why there is none. */
export function effectiveNetwork(
  { network, store: section }: Config,
  store: StoreView,
): NetworkConfig | { readonly missing: string } {
  if (network.declared !== undefined) return network.declared;
  if (store.network === undefined) {
    const what = section.type === 'etcd' ? `${section.prefix}/config` : 'config';
    return { missing: `no network is declared: neither in the file nor in the store under ${what}` };
  }
  if ('error' in store.network) {
    return { missing: `the network in the store cannot be used: ${store.network.error}` };
  }
  return store.network.config;
}

/** The store has another network than the file, which does not replace it: nothing that needs a lease is done then. */
export function isRefusedByStore(
  { network: { declared, publish } }: Config,
  { network: inStore }: StoreView,
): boolean {
  return (
    declared !== undefined &&
    publish === 'create' &&
    inStore !== undefined &&
    ('error' in inStore || networkDifferences(inStore.config, declared).length > 0)
  );
}

/**
 * The store's network, where this host's lease is of it: who has edited the file, and not the store, has not moved a
 * host that is up. Undefined where the lease is of another, as after somebody has edited the store.
 */
export function networkOfOwnLease(
  config: Config,
  store: StoreView,
  host: HostFacts,
): NetworkConfig | undefined {
  const { network: inStore } = store;
  if (inStore === undefined || 'error' in inStore) return undefined;
  const { config: network } = inStore;
  return leasesHeldBy(store, host.publicIps).some((lease) => isLeaseOf(network, lease, config, host))
    ? network
    : undefined;
}

/** By its subnets, and by what the network's backend would publish in it. */
function isLeaseOf(network: NetworkConfig, lease: Lease, config: Config, host: HostFacts): boolean {
  const { subnets, attributes } = lease;
  const hasPlace = familiesOf(network).every((family) => {
    const [part, subnet] = [network[family], subnets[family]];
    return part !== undefined && subnet !== undefined && subnetMisfit(part, subnet) === undefined;
  });
  if (!hasPlace) return false;
  try {
    const { lease: published } = backendPlan({
      network,
      // Commands that stand in the store are not run for having been in use there.
      isDeclared: false,
      subnets,
      leases: [],
      ownLease: lease,
      host,
      mtu: config.network.mtu,
      dataplane: config.dataplane,
      instance: config.instance.name,
      requires: [],
    });
    const fields = ['backendType', 'backendData', 'backendV6Data'] as const;
    return fields.every((field) => equalJson(published[field], attributes[field]));
  } catch (error) {
    if (error instanceof BackendError) return false;
    throw error;
  }
}
