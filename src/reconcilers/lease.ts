/** This host's lease in the store. Keeping it alive is runtime/store/lease-keeper.ts. */
import { diff, type Kind } from '../model/diff.js';
import { equalJson } from '../model/equal-json.js';
import { leaseKey } from '../model/keys.js';
import { isSameHost, type Lease, NO_ETCD_LEASE, type PublicIps } from '../model/lease.js';
import { isFormerly } from '../model/moved-lease.js';
import type { LeaseState } from '../model/objects.js';
import type { Action } from '../model/plan.js';
import { leasesHeldBy, readableLeases, type StoreView } from '../model/store-view.js';
import { leaseEntryKey, leaseJson } from '../wire/flannel-store.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';
import { deleteLease, knownView, LostRaceError, type StoreAccess } from './store-access.js';

const kind: Kind<LeaseState> = {
  differences({ attributes: want }, { attributes: have }) {
    const differences: string[] = [];
    for (const field of ['publicIps', 'backendType', 'backendData', 'backendV6Data'] as const) {
      if (equalJson(want[field], have[field])) continue;
      differences.push(`${field} ${textOf(have[field])}, want ${textOf(want[field])}`);
    }
    return differences;
  },
};

function textOf(value: unknown): string {
  return value === undefined ? 'none' : JSON.stringify(value);
}

/**
 * Ours are the leases that carry our public address, whoever wrote them: flannel's idea of identity. And the one with the
 * address that we had before: it is wanted still, and gets the new one.
 */
export function leaseReconciler(
  access: StoreAccess,
  publicIps: () => PublicIps | undefined,
  ttlSeconds: () => number,
  formerPublicIps: () => PublicIps | undefined = () => undefined,
): Reconciler<LeaseState> {
  async function step({ verb, key, before, after }: Action<LeaseState>, signal: AbortSignal): Promise<void> {
    const subnets = (after ?? before)?.subnets;
    if (subnets === undefined) return;
    const view = knownView(access);
    const inStore = readableLeases(view).find((lease) => leaseKey(lease.subnets) === key);
    const entryKey = leaseEntryKey(subnets);
    // The plan may be older than the view: what was planned for our lease must not be done to somebody else's.
    if (before !== undefined && inStore !== undefined && kind.differences(before, inStore).length > 0) {
      throw new LostRaceError(`Cannot ${verb} ${entryKey}: it changed since that was planned`);
    }
    try {
      if (after === undefined) await giveBack(entryKey, view, inStore, signal);
      else if (verb === 'create') await create(entryKey, after, signal);
      else await rewrite(entryKey, after, inStore, signal);
    } finally {
      await access.refresh(signal);
    }
  }

  async function create(key: string, { attributes }: LeaseState, signal: AbortSignal): Promise<void> {
    const { store } = access;
    const lease = await store.grantLease(ttlSeconds(), signal);
    let won = false;
    try {
      won = await store.compareAndPut({ key, value: leaseJson(attributes), expected: 0n, lease }, signal);
      if (!won) throw new LostRaceError(`Cannot take ${key}: somebody took it first`);
    } finally {
      // A grant without a key would stay in etcd for a day.
      if (!won) await store.revokeLease(lease, signal);
    }
  }

  /** Keeps the etcd lease the key hangs on; a reservation stays one. */
  async function rewrite(
    key: string,
    { attributes }: LeaseState,
    inStore: Lease | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (inStore === undefined) throw new LostRaceError(`Cannot rewrite ${key}: it is gone`);
    const { unknownFields } = inStore.attributes;
    const value = leaseJson({ ...attributes, ...(unknownFields && { unknownFields }) });
    const put = { key, value, expected: inStore.modRevision, lease: inStore.etcdLease };
    if (!(await access.store.compareAndPut(put, signal)))
      throw new LostRaceError(`Cannot rewrite ${key}: somebody changed it`);
  }

  async function giveBack(
    key: string,
    view: StoreView,
    inStore: Lease | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (inStore === undefined || (await deleteLease(access.store, view, inStore, signal))) return;
    throw new LostRaceError(`Cannot give ${key} back: somebody changed it`);
  }

  function isOurs(lease: Lease, isWanted: boolean): boolean {
    if (isFormerly(formerPublicIps(), lease)) return isWanted;
    // A reservation that is not in use is the operator's: it is not given back for him.
    return (
      isSameHost(lease.attributes.publicIps, publicIps() ?? {}) &&
      (lease.etcdLease !== NO_ETCD_LEASE || isWanted)
    );
  }

  return {
    name: 'lease',
    async observe(desired) {
      const wanted = new Set(desired.map(({ key }) => key));
      return candidates(knownView(access), wanted, publicIps())
        .map((lease) => ({
          key: leaseKey(lease.subnets),
          state: { subnets: lease.subnets, attributes: lease.attributes },
          ours: isOurs(lease, wanted.has(leaseKey(lease.subnets))),
        }))
        .filter(({ key, ours }) => ours || wanted.has(key));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) => carryOut(actions, signal, (action) => step(action, signal)),
  };
}

/**
 * This host's leases; and all of them while it has not the wanted one, which may be somebody else's. Those that cannot
 * be peers, too: a lease on a subnet of the network before, or on one that an older lease holds, has to be given back
 * all the same.
 */
function candidates(
  view: StoreView,
  wanted: ReadonlySet<string>,
  us: PublicIps | undefined,
): readonly Lease[] {
  const held = us === undefined ? [] : leasesHeldBy(view, us);
  const heldKeys = new Set<string>(held.map(({ subnets }) => leaseKey(subnets)));
  return [...wanted].every((key) => heldKeys.has(key)) ? held : readableLeases(view);
}
