/**
 * Which subnet this host should hold. Pure: the same store gives the same answer, so that a preview and the
 * change after it agree; taking the subnet is a compare-and-put, and who loses it asks again.
 */
import {
  type Address,
  addressFromBits,
  bitsOf,
  FAMILY_BITS,
  type Family,
  familyOf,
  type Prefix,
  rangeOf,
} from './address.js';
import { type Lease, NO_ETCD_LEASE, type PublicIps, type Subnets } from './lease.js';
import { byAge, prefixesOf } from './lease-overlaps.js';
import type { FamilyNetwork, NetworkConfig } from './network.js';
import { subnetAt, subnetMisfit } from './network-rules.js';
import { publicIpMisfit } from './public-ip.js';

export interface AllocationInput {
  readonly network: NetworkConfig;
  /** flannel's identity of a host: its public IPv4 address, or the IPv6 one in a network without IPv4. */
  readonly publicIps: PublicIps;
  readonly leases: readonly Lease[];
  /** Every subnet that is not free, those of `leases` among them. */
  readonly taken: readonly Prefix[];
  /** The operator's choice for this host. */
  readonly pinned?: Prefix;
  /** What this host held before; its containers may still use it. */
  readonly previous?: Prefix;
  /** How many other choices were lost to faster hosts; default 0. */
  readonly attempt?: number;
}

export type SubnetPlan =
  | {
      readonly subnets: Subnets;
      /** In a dual-stack network the reason for the IPv4 part. */
      readonly why: 'own lease' | 'reservation' | 'pinned' | 'previous subnet' | 'allocated';
      /** Leases of this host that it can no longer hold. Nobody wants them and they are ours, so the plan deletes them. */
      readonly misfits: readonly { readonly lease: Lease; readonly reason: string }[];
    }
  | { readonly error: string };

/** flannel's rule: one of the first hundred free subnets, so that hosts that start together seldom collide. */
const CANDIDATES = 100;

const FAMILIES = ['ipv4', 'ipv6'] as const satisfies readonly Family[];

export function plannedSubnets(input: AllocationInput): SubnetPlan {
  const { network, publicIps, pinned } = input;
  const identity = network.ipv4 === undefined ? publicIps.ipv6 : publicIps.ipv4;
  if (identity === undefined)
    return { error: `this host has no public ${network.ipv4 ? 'ipv4' : 'ipv6'} address` };
  // Such a lease would be set aside by every reader, this host among them, and be taken anew for ever.
  const unusable = publicIpMisfit(identity, network);
  if (unusable !== undefined) return { error: `the public address ${identity} cannot be used: ${unusable}` };
  if (pinned !== undefined && network[familyOf(pinned)] === undefined) {
    return { error: `the pinned subnet ${pinned} is of a family that the network does not have` };
  }

  const own = input.leases
    .filter(({ attributes }) => attributes.publicIps[familyOf(identity)] === identity)
    .sort(byAge)
    .map((lease) => ({ lease, reason: leaseMisfit(lease.subnets, input) }));
  const fit = own.find(({ reason }) => reason === undefined);
  const misfits = own.flatMap(({ lease, reason }) => (reason === undefined ? [] : [{ lease, reason }]));
  if (fit !== undefined) {
    const why = fit.lease.etcdLease === NO_ETCD_LEASE ? 'reservation' : 'own lease';
    return { subnets: fit.lease.subnets, why, misfits };
  }

  const choices = FAMILIES.flatMap((family) => {
    const part = network[family];
    return part === undefined ? [] : [{ family, choice: newSubnet(part, identity, input, misfits) }];
  });
  const subnets: { -readonly [F in keyof Subnets]: Subnets[F] } = {};
  for (const { family, choice } of choices) {
    if ('error' in choice) return choice;
    subnets[family] = choice.subnet;
  }
  const [first] = choices;
  if (first === undefined || 'error' in first.choice) return { error: 'the network has no address family' };
  return { subnets, why: first.choice.why, misfits };
}

/** Undefined when this host may go on with a lease on `subnets`; else why not. */
function leaseMisfit(subnets: Subnets, { network, pinned }: AllocationInput): string | undefined {
  for (const family of FAMILIES) {
    const [part, subnet] = [network[family], subnets[family]];
    if (part === undefined && subnet === undefined) continue;
    if (part === undefined) return `the network has no ${family}`;
    if (subnet === undefined) return `has no ${family} subnet`;
    const reason = subnetMisfit(part, subnet);
    if (reason !== undefined) return `${subnet}: ${reason}`;
    if (pinned !== undefined && familyOf(pinned) === family && pinned !== subnet) {
      return `holds ${subnet}, pinned is ${pinned}`;
    }
  }
  return undefined;
}

type Choice =
  | { readonly subnet: Prefix; readonly why: 'pinned' | 'previous subnet' | 'allocated' }
  | { readonly error: string };

function newSubnet(
  network: FamilyNetwork,
  identity: Address,
  input: AllocationInput,
  misfits: readonly { readonly lease: Lease }[],
): Choice {
  const family = familyOf(network.cidr);
  const { pinned, previous, attempt = 0 } = input;
  const taken = takenIn(network, input.taken);
  if (pinned !== undefined && familyOf(pinned) === family)
    return pinnedSubnet(pinned, network, taken, input, misfits);
  if (previous !== undefined && subnetMisfit(network, previous) === undefined) {
    if (holderOf(previous, taken) === undefined) return { subnet: previous, why: 'previous subnet' };
  }
  const free = firstFree(network, taken);
  const subnet = free[spread(identity, attempt) % free.length];
  if (subnet !== undefined) return { subnet, why: 'allocated' };
  const { subnetLength, subnetMin, subnetMax } = network;
  return { error: `out of subnets: every /${subnetLength} from ${subnetMin} to ${subnetMax} is taken` };
}

function pinnedSubnet(
  pinned: Prefix,
  network: FamilyNetwork,
  taken: readonly Range[],
  { leases }: AllocationInput,
  misfits: readonly { readonly lease: Lease }[],
): Choice {
  const reason = subnetMisfit(network, pinned);
  if (reason !== undefined)
    return { error: `the pinned subnet ${pinned} does not fit the network: ${reason}` };
  // What this host gives up in the same breath is not in its way.
  const givenUp = new Set(misfits.flatMap(({ lease }) => prefixesOf(lease.subnets)));
  const inTheWay = holderOf(
    pinned,
    taken.filter(({ prefix }) => !givenUp.has(prefix)),
  );
  if (inTheWay === undefined) return { subnet: pinned, why: 'pinned' };
  const holder = leases.find(({ subnets }) => prefixesOf(subnets).includes(inTheWay));
  const { ipv4, ipv6 } = holder?.attributes.publicIps ?? {};
  return {
    error: `the pinned subnet ${pinned} is not free: ${ipv4 ?? ipv6 ?? 'an unreadable lease'} holds ${inTheWay}`,
  };
}

interface Range {
  readonly prefix: Prefix;
  readonly first: bigint;
  readonly last: bigint;
}

/** Sorted by their starts. A subnet that is wider than the network is nobody's, and would block everybody: left out. */
function takenIn({ cidr }: FamilyNetwork, taken: readonly Prefix[]): readonly Range[] {
  const network = rangeOf(cidr);
  return taken
    .filter((prefix) => familyOf(prefix) === familyOf(cidr))
    .map((prefix) => ({ prefix, ...rangeOf(prefix) }))
    .filter(({ first, last }) => network.first <= first && last <= network.last)
    .sort((left, right) => Number(left.first - right.first));
}

function holderOf(subnet: Prefix, taken: readonly Range[]): Prefix | undefined {
  const { first, last } = rangeOf(subnet);
  return taken.find((range) => range.first <= last && first <= range.last)?.prefix;
}

/** The first free subnets, in order. Whole taken ranges are jumped over. */
function firstFree(network: FamilyNetwork, taken: readonly Range[]): readonly Prefix[] {
  const family = familyOf(network.cidr);
  const step = 1n << BigInt(FAMILY_BITS[family] - network.subnetLength);
  const last = bitsOf(network.subnetMax);
  const free: Prefix[] = [];
  let next = bitsOf(network.subnetMin);
  const collectUpTo = (end: bigint) => {
    for (; next < end && next <= last && free.length < CANDIDATES; next += step) {
      free.push(subnetAt(network, addressFromBits(family, next)));
    }
  };
  for (const range of taken) {
    // The subnet that `range` begins in is not free.
    collectUpTo(range.first - (range.first % step));
    if (free.length === CANDIDATES) return free;
    if (range.last >= next) next = range.last - (range.last % step) + step;
  }
  collectUpTo(last + 1n);
  return free;
}

/** FNV-1a, 32 bits (draft-eastlake-fnv): the same on every host and in every release. */
function spread(identity: Address, attempt: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${identity} ${attempt}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return hash >>> 0;
}
