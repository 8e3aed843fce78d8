/**
 * What the entries of the store say. One entry that cannot be trusted is set aside with the reason and
 * changes nothing for the others.
 */
import { contains } from '../model/address.js';
import { DerivedList } from '../model/derived-list.js';
import { subnetKey } from '../model/keys.js';
import type { Lease, Subnets } from '../model/lease.js';
import { LeaseBook, type ReadEntry } from '../model/lease-book.js';
import { prefixesOf } from '../model/lease-overlaps.js';
import type { NetworkConfig } from '../model/network.js';
import { publicIpMisfit } from '../model/public-ip.js';
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

/** `declared` is the network in use where a file declares it; else the store's own. */
export function storeView(entries: Iterable<StoreEntry>, declared?: NetworkConfig): StoreView {
  const edits = [...entries].map((entry) => [entry.key, entry] as const);
  const { holders: _, ...view } = storeReader()(TrackedList.empty<StoreEntry>().edited(edits), declared);
  return view;
}

/**
 * A storeView that remembers what it read: what did not change since the call before is not read again, so a change of
 * one lease costs the same among a hundred and among ten thousand.
 */
export function storeReader(): (entries: TrackedList<StoreEntry>, declared?: NetworkConfig) => StoreView {
  const reading = new DerivedList<StoreEntry, ReadEntry>();
  const book = new LeaseBook();

  return (entries, declared) => {
    const config = entries.get(CONFIG_KEY);
    const network = config && readNetwork(config.value);
    // Leases are judged by the network in use. A file that declares one goes on with it while the store's is in
    // conflict: one wrong write there must not cut off every host.
    const inUse = declared ?? (network && 'config' in network ? network.config : undefined);
    book.turnTo(
      reading.of(entries, inUse, (entry) =>
        isLeaseKey(entry.key) ? { key: entry.key, read: readLease(entry, inUse) } : undefined,
      ),
    );
    const { leases, quarantined, holders } = book;
    return {
      ...(config && network && { network, networkRevision: config.modRevision }),
      leases,
      quarantined,
      holders,
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

function readLease(entry: StoreEntry, network: NetworkConfig | undefined): Lease | QuarantinedLease {
  const { key, value, createRevision, modRevision, lease: etcdLease } = entry;
  const named = subnetsOfKey(key.slice(SUBNETS.length));
  if ('error' in named) return { key, reason: named.error, ...(named.subnets && { subnets: named.subnets }) };
  const { subnets } = named;
  try {
    const attributes = parseLeaseJson(value);
    const lease: Lease = { subnets, attributes, createRevision, modRevision, etcdLease };
    const reason = misfit(lease, network);
    return reason === undefined ? lease : { key, reason, subnets, lease };
  } catch (error) {
    if (error instanceof StoredValueError) return { key, reason: error.message, subnets };
    throw error;
  }
}

/** Undefined when the lease can be a peer in `network`; else why not. */
function misfit(
  { subnets, attributes: { publicIps } }: Lease,
  network: NetworkConfig | undefined,
): string | undefined {
  for (const family of ['ipv4', 'ipv6'] as const) {
    const subnet = subnets[family];
    if (subnet === undefined) continue;
    const cidr = network?.[family]?.cidr;
    if (cidr !== undefined && !contains(cidr, subnet)) return `${subnet} is outside the network ${cidr}`;
    const publicIp = publicIps[family];
    if (publicIp === undefined) return `has no public ${family} address`;
    const reason = publicIpMisfit(publicIp, network);
    if (reason !== undefined) return `the public address ${publicIp} cannot be used: ${reason}`;
  }
  return undefined;
}
