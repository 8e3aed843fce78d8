/**
 * Which subnet this host should hold. Pure: the same store gives the same answer, so that a preview and the
 * change after it agree; taking the subnet is a compare-and-put, and who loses it asks again.
 */
import {
  addressFromBits,
  bitsOf,
  FAMILIES,
  FAMILY_BITS,
  FAMILY_NAME,
  familyOf,
  type Prefix,
  rangeOf,
} from './address.js';
import { isSameHost, type Lease, NO_ETCD_LEASE, type PublicIps, type Subnets } from './lease.js';
import { byAge, prefixesOf } from './lease-overlaps.js';
import { type FamilyNetwork, familiesOf, type NetworkConfig } from './network.js';
import { subnetAt, subnetMisfit } from './network-rules.js';
import { publicIpMisfit } from './public-ip.js';

export interface AllocationInput {
  readonly network: NetworkConfig;
  /** One in each family of the network, and no other. */
  readonly publicIps: PublicIps;
  readonly leases: readonly Lease[];
  /** Every subnet that is not free, those of `leases` among them. */
  readonly taken: readonly Prefix[];
  /** The operator's choice for this host. */
  readonly pinned?: Subnets;
  /** What this host held before; its containers may still use it. */
  readonly previous?: Subnets;
  /** How many other choices were lost to faster hosts; default 0. */
  readonly attempt?: number;
}

export type SubnetPlan =
  | {
      readonly subnets: Subnets;
      /** In a dual-stack network the reason for the IPv4 part. */
      readonly why: 'own lease' | 'reservation' | 'kept' | 'pinned' | 'previous subnet' | 'allocated';
      /** Leases of this host that it can no longer hold. Nobody wants them and they are ours, so the plan deletes them. */
      readonly misfits: readonly { readonly lease: Lease; readonly reason: string }[];
    }
  | { readonly error: string };

/** flannel's rule: one of the first hundred free subnets, so that hosts that start together seldom collide. */
const CANDIDATES = 100;

export function plannedSubnets(input: AllocationInput): SubnetPlan {
  const { network, publicIps } = input;
  const refusal = refusalOf(input);
  if (refusal !== undefined) return { error: refusal };

  const own = input.leases
    .filter(({ attributes }) => isSameHost(attributes.publicIps, publicIps))
    .sort(byAge)
    .map((lease) => ({ lease, reason: leaseMisfit(lease.subnets, input) }));
  const fit = own.find(({ reason }) => reason === undefined);
  // A reservation is the operator's, also one that does not fit: it is not given up for him.
  const misfits = own.flatMap(({ lease, reason }) =>
    reason === undefined || lease.etcdLease === NO_ETCD_LEASE ? [] : [{ lease, reason }],
  );
  if (fit !== undefined) {
    const why = fit.lease.etcdLease === NO_ETCD_LEASE ? 'reservation' : 'own lease';
    return { subnets: fit.lease.subnets, why, misfits };
  }

  const choices = FAMILIES.flatMap((family) => {
    const part = network[family];
    return part === undefined ? [] : [{ family, choice: newSubnet(part, input, misfits) }];
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

/** Why this host can hold nothing in this network. */
function refusalOf({ network, publicIps, pinned }: AllocationInput): string | undefined {
  for (const family of familiesOf(network)) {
    const publicIp = publicIps[family];
    if (publicIp === undefined) {
      return `this host has no public ${FAMILY_NAME[family]} address, and the network has ${FAMILY_NAME[family]}`;
    }
    // Such a lease would be set aside by every reader, this host among them, and be taken anew for ever.
    const unusable = publicIpMisfit(publicIp, network);
    if (unusable !== undefined) return `the public address ${publicIp} cannot be used: ${unusable}`;
  }
  const homeless = prefixesOf(pinned).find((subnet) => network[familyOf(subnet)] === undefined);
  return homeless && `the pinned subnet ${homeless} is of a family that the network does not have`;
}

/** Undefined when this host may go on with a lease on `subnets`; else why not. */
function leaseMisfit(subnets: Subnets, { network, pinned }: AllocationInput): string | undefined {
  for (const family of FAMILIES) {
    const [part, subnet] = [network[family], subnets[family]];
    if (part === undefined && subnet === undefined) continue;
    if (part === undefined) return `the network has no ${FAMILY_NAME[family]}`;
    if (subnet === undefined) return `has no ${FAMILY_NAME[family]} subnet`;
    const reason = subnetMisfit(part, subnet);
    if (reason !== undefined) return `${subnet}: ${reason}`;
    const wanted = pinned?.[family];
    if (wanted !== undefined && wanted !== subnet) return `holds ${subnet}, pinned is ${wanted}`;
  }
  return undefined;
}

type Choice =
  | { readonly subnet: Prefix; readonly why: 'kept' | 'pinned' | 'previous subnet' | 'allocated' }
  | { readonly error: string };

function newSubnet(
  network: FamilyNetwork,
  input: AllocationInput,
  misfits: readonly { readonly lease: Lease }[],
): Choice {
  const family = familyOf(network.cidr);
  const { publicIps, attempt = 0 } = input;
  const [pinned, previous] = [input.pinned?.[family], input.previous?.[family]];
  const taken = takenIn(network, input.taken);
  // What this host gives up in the same breath is not in its way.
  const givenUp = misfits.flatMap(({ lease }) => lease.subnets[family] ?? []);
  const others = taken.filter(({ prefix }) => !givenUp.includes(prefix));
  if (pinned !== undefined) return pinnedSubnet(pinned, network, others, input);
  // A network that gains or loses the other family, or a pin in that one, moves no container in this one.
  for (const subnet of givenUp) {
    if (isFit(subnet, network, others)) return { subnet, why: 'kept' };
  }
  if (previous !== undefined && isFit(previous, network, others)) {
    return { subnet: previous, why: 'previous subnet' };
  }
  const free = firstFree(network, taken);
  const subnet = free[spread(publicIps, attempt) % free.length];
  if (subnet !== undefined) return { subnet, why: 'allocated' };
  const { subnetLength, subnetMin, subnetMax } = network;
  return { error: `out of subnets: every /${subnetLength} from ${subnetMin} to ${subnetMax} is taken` };
}

function isFit(subnet: Prefix, network: FamilyNetwork, others: readonly Range[]): boolean {
  return subnetMisfit(network, subnet) === undefined && holderOf(subnet, others) === undefined;
}

function pinnedSubnet(
  pinned: Prefix,
  network: FamilyNetwork,
  others: readonly Range[],
  { leases }: AllocationInput,
): Choice {
  const reason = subnetMisfit(network, pinned);
  if (reason !== undefined)
    return { error: `the pinned subnet ${pinned} does not fit the network: ${reason}` };
  const inTheWay = holderOf(pinned, others);
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
function spread({ ipv4, ipv6 }: PublicIps, attempt: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${ipv4 ?? ipv6} ${attempt}`) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return hash >>> 0;
}
