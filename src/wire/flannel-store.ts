/**
 * What the entries of the store say. One entry that cannot be trusted is set aside with the reason and
 * changes nothing for the others.
 */
import { DerivedList } from '../model/derived-list.js';
import { subnetKey } from '../model/keys.js';
import type { Lease, Subnets } from '../model/lease.js';
import { LeaseBook, type ReadEntry } from '../model/lease-book.js';
import { leaseMisfit } from '../model/lease-misfit.js';
import { prefixesOf } from '../model/lease-overlaps.js';
import type { NetworkConfig } from '../model/network.js';
import type { QuarantinedLease, StoreEntry, StoreView } from '../model/store-view.js';
import { TrackedList } from '../model/tracked-list.js';
import { StoredValueError } from './flannel-json.js';
import { subnetsOfKey } from './flannel-keys.js';
import { parseLeaseJson } from './flannel-lease.js';
import { parseNetworkJson } from './flannel-network.js';

export { leaseJson } from './flannel-lease.js';
export { networkJson } from './flannel-network.js';

export const CONFIG_KEY = 'config';
const SUBNETS = 'subnets/';

export function isLeaseKey(key: string): boolean {
  return key.startsWith(SUBNETS);
}

/** The key of a lease in the store. */
export function leaseEntryKey(subnets: Subnets): string {
  return SUBNETS + subnetKey(subnets);
}

/** Entries that are gone, and are to count for a moment longer; how many of them went with most others. */
export interface Departed {
  readonly held: readonly StoreEntry[];
  readonly vanished: number;
}

/** `declared` is the file's network, where it declares one: a lease has its place in that or in the store's. */
export function storeView(entries: Iterable<StoreEntry>, declared?: NetworkConfig): StoreView {
  const edits = [...entries].map((entry) => [entry.key, entry] as const);
  const { holders: _, ...view } = storeReader()(TrackedList.empty<StoreEntry>().edited(edits), declared);
  return view;
}

/**
 * A storeView that remembers what it read: what did not change since the call before is not read again, so a change of
 * one lease costs the same among a hundred and among ten thousand.
 */
export function storeReader(): (
  entries: TrackedList<StoreEntry>,
  declared?: NetworkConfig,
  departed?: Departed,
) => StoreView {
  const reading = new DerivedList<StoreEntry, ReadEntry>();
  const book = new LeaseBook();

  return (entries, declared, departed = { held: [], vanished: 0 }) => {
    const config = entries.get(CONFIG_KEY);
    const network = config && readNetwork(config.value);
    // While the file's network and the store's are in conflict a host goes on in the one that it is up in: one wrong
    // write in either place must not cut it off from the others.
    const inStore = network && 'config' in network ? network.config : undefined;
    const networks = [declared, inStore].filter((each) => each !== undefined);
    book.turnTo(
      reading.of(entries, networks, (entry) =>
        isLeaseKey(entry.key) ? { key: entry.key, read: readLease(entry, networks) } : undefined,
      ),
    );
    const { leases, quarantined, holders } = book;
    const held = departed.held.flatMap((entry) => {
      const read = readLease(entry, networks);
      return 'reason' in read || !book.isFree(read) ? [] : read;
    });
    return {
      ...(config && network && { network, networkRevision: config.modRevision }),
      leases,
      quarantined,
      holders,
      ...(departed.held.length > 0 && { held, vanished: departed.vanished }),
      get taken() {
        return [...leases, ...quarantined].flatMap(({ subnets }) => prefixesOf(subnets));
      },
    };
  };
}

function readNetwork(value: string): NonNullable<StoreView['network']> {
  try {
    return { config: parseNetworkJson(value) };
  } catch (error) {
    if (error instanceof StoredValueError) return { error: error.message };
    throw error;
  }
}

/** It has to fit one of `networks`; where there are none, nothing is known that it could not fit. */
function readLease(entry: StoreEntry, networks: readonly NetworkConfig[]): Lease | QuarantinedLease {
  const { key, value, createRevision, modRevision, lease: etcdLease } = entry;
  const named = subnetsOfKey(key.slice(SUBNETS.length));
  if ('error' in named) return { key, reason: named.error, ...(named.subnets && { subnets: named.subnets }) };
  const { subnets } = named;
  try {
    const attributes = parseLeaseJson(value);
    const lease: Lease = { subnets, attributes, createRevision, modRevision, etcdLease };
    const misfits = (networks.length === 0 ? [undefined] : networks).map((network) =>
      leaseMisfit(lease, network),
    );
    const [reason] = misfits;
    return reason === undefined || misfits.includes(undefined) ? lease : { key, reason, subnets, lease };
  } catch (error) {
    if (error instanceof StoredValueError) return { key, reason: error.message, subnets };
    throw error;
  }
}
