/** Which lease in the store is this host's own, and to be kept alive. */
import { isDecided } from '../../model/desired.js';
import { leaseKey } from '../../model/keys.js';
import type { Lease } from '../../model/lease.js';
import type { ResourceKey } from '../../model/plan.js';
import { leasesHeldBy, type StoreView } from '../../model/store-view.js';
import type { Inputs } from '../inputs/inputs.js';

export class OwnLease {
  readonly #inputs: Inputs;
  readonly #storeView: () => StoreView | undefined;
  #key: ResourceKey | undefined;

  constructor(inputs: Inputs, storeView: () => StoreView | undefined) {
    this.#inputs = inputs;
    this.#storeView = storeView;
  }

  /**
   * The lease that is planned with. Until that is in the store, and while nothing can be planned, the one that was last:
   * the host goes on with it, so nobody else may have its subnet.
   */
  now(): Lease | undefined {
    const inputs = this.#inputs;
    const [state, view] = [inputs.state(), this.#storeView()];
    if (view === undefined || inputs.config.store.type !== 'etcd') return undefined;
    const { publicIps, formerPublicIps = {} } = inputs;
    const leases = [...leasesHeldBy(view, publicIps), ...leasesHeldBy(view, formerPublicIps)];
    const lease = (key: ResourceKey | undefined) => leases.find(({ subnets }) => leaseKey(subnets) === key);
    const planned = isDecided(state) ? lease(state.objects.lease[0]?.key) : undefined;
    const own = planned ?? lease(this.#key) ?? leases[0];
    if (own !== undefined) this.#key = leaseKey(own.subnets);
    return own;
  }
}
