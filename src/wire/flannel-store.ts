/**
 * What the entries of the store say. One entry that cannot be trusted is set aside with the reason and
 * changes nothing for the others.
 */
import { contains } from '../model/address.js';
import { subnetKey } from '../model/keys.js';
import type { Lease, Subnets } from '../model/lease.js';
import { prefixesOf, withoutOverlaps } from '../model/lease-overlaps.js';
import type { NetworkConfig } from '../model/network.js';
import { publicIpMisfit } from '../model/public-ip.js';
import type { QuarantinedLease, StoreEntry, StoreView } from '../model/store-view.js';
import { StoredValueError } from './flannel-json.js';
import { subnetsOfKey } from './flannel-keys.js';
import { parseLeaseJson } from './flannel-lease.js';
import { parseNetworkJson } from './flannel-network.js';

export { leaseJson } from './flannel-lease.js';
export { networkJson } from './flannel-network.js';

export const CONFIG_KEY = 'config';
const SUBNETS = 'subnets/';

/** The key of a lease in the store. */
export function leaseEntryKey(subnets: Subnets): string {
  return SUBNETS + subnetKey(subnets);
}

/** `declared` is the network in use where a file declares it; else the store's own. */
export function storeView(entries: Iterable<StoreEntry>, declared?: NetworkConfig): StoreView {
  return storeReader()(entries, declared);
}

/**
 * A storeView that remembers what it read: an entry that is the same object as in an earlier call is not
 * read again, so a change of one lease among ten thousand costs one.
 */
export function storeReader(): (entries: Iterable<StoreEntry>, declared?: NetworkConfig) => StoreView {
  let readFor: string | undefined;
  let known = new WeakMap<StoreEntry, Lease | QuarantinedLease>();

  return (entries, declared) => {
    const all = [...entries];
    const config = all.find(({ key }) => key === CONFIG_KEY);
    const network = config && readNetwork(config.value);
    // Leases are judged by the network in use. A file that declares one goes on with it while the store's is in
    // conflict: one wrong write there must not cut off every host.
    const inUse = declared ?? (network && 'config' in network ? network.config : undefined);
    const judgedBy = JSON.stringify(inUse);
    if (judgedBy !== readFor) {
      known = new WeakMap();
      readFor = judgedBy;
    }
    const leases: Lease[] = [];
    const quarantined: QuarantinedLease[] = [];
    for (const entry of all) {
      if (!entry.key.startsWith(SUBNETS)) continue;
      let read = known.get(entry);
      if (read === undefined) {
        read = readLease(entry, inUse);
        known.set(entry, read);
      }
      if ('reason' in read) quarantined.push(read);
      else leases.push(read);
    }
    const { winners, losers } = withoutOverlaps(leases);
    quarantined.push(
      ...losers.map(({ lease, reason }) => ({
        key: leaseEntryKey(lease.subnets),
        reason,
        subnets: lease.subnets,
        lease,
      })),
    );
    return {
      ...(config && network && { network, networkRevision: config.modRevision }),
      leases: winners,
      quarantined,
      taken: [...winners, ...quarantined].flatMap(({ subnets }) => prefixesOf(subnets)),
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
