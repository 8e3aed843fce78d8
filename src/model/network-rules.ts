/** What makes a network: flannel's defaults and limits (pkg/subnet/config.go), for the YAML file and for the store alike. */
import {
  type Address,
  addressFromBits,
  baseOf,
  bitsOf,
  contains,
  FAMILY_BITS,
  type Family,
  familyOf,
  lengthOf,
  type Prefix,
  rangeOf,
} from './address.js';
import { equalJson } from './equal-json.js';
import type { FamilyNetwork, NetworkConfig } from './network.js';

/** One family's network as somebody wrote it; what is absent gets flannel's default. */
export interface FamilyNetworkSpec {
  readonly cidr: Prefix;
  readonly subnetLength?: number | undefined;
  readonly subnetMin?: Address | undefined;
  readonly subnetMax?: Address | undefined;
}

/** What is wrong, and with which field of the spec. */
export interface NetworkRuleError {
  readonly field: 'cidr' | 'subnetLength' | 'subnetMin' | 'subnetMax';
  readonly message: string;
}

const LIMITS = {
  /** A /30 is the smallest subnet with room for a bridge and a container. */
  ipv4: { longestSubnet: 30, usualSubnet: 24 },
  ipv6: { longestSubnet: 126, usualSubnet: 64 },
} as const satisfies Record<Family, object>;

/** A network holds at least four subnets. */
const LEAST_SUBNET_BITS = 2;

/** Every default applied, or everything that is wrong with the spec. */
export function familyNetwork(
  spec: FamilyNetworkSpec,
): { readonly network: FamilyNetwork } | { readonly errors: readonly NetworkRuleError[] } {
  const { cidr } = spec;
  const subnetLength = subnetLengthOf(spec);
  if (typeof subnetLength !== 'number') return { errors: [subnetLength] };

  const { first, last } = rangeOf(cidr);
  const family = familyOf(cidr);
  const step = 1n << BigInt(FAMILY_BITS[family] - subnetLength);
  // The first subnet is left out unless asked for: its address is the network's own.
  const subnetMin = spec.subnetMin ?? addressFromBits(family, first + step);
  const subnetMax = spec.subnetMax ?? addressFromBits(family, last + 1n - step);
  const errors = [
    ...subnetErrors('subnetMin', subnetMin, cidr, step),
    ...subnetErrors('subnetMax', subnetMax, cidr, step),
  ];
  if (errors.length === 0 && bitsOf(subnetMin) > bitsOf(subnetMax)) {
    // flannel accepts this and is then out of subnets for ever.
    const field = spec.subnetMin === undefined ? 'subnetMax' : 'subnetMin';
    errors.push({ field, message: `no subnet is left: the first is ${subnetMin}, the last ${subnetMax}` });
  }
  return errors.length > 0 ? { errors } : { network: { cidr, subnetLength, subnetMin, subnetMax } };
}

function subnetLengthOf({ cidr, subnetLength }: FamilyNetworkSpec): number | NetworkRuleError {
  const { longestSubnet, usualSubnet } = LIMITS[familyOf(cidr)];
  const networkLength = lengthOf(cidr);
  const least = networkLength + LEAST_SUBNET_BITS;
  if (networkLength === 0) return { field: 'cidr', message: `is "${cidr}", must not be everything` };
  if (least > longestSubnet) {
    const longest = longestSubnet - LEAST_SUBNET_BITS;
    return {
      field: 'cidr',
      message: `is "${cidr}", too small for four subnets: must be /${longest} or wider`,
    };
  }
  if (subnetLength === undefined) return Math.max(usualSubnet, least);
  if (!Number.isInteger(subnetLength) || subnetLength < least || subnetLength > longestSubnet) {
    return {
      field: 'subnetLength',
      message: `is ${subnetLength}, must be ${least} to ${longestSubnet} to divide ${cidr}`,
    };
  }
  return subnetLength;
}

function subnetErrors(
  field: 'subnetMin' | 'subnetMax',
  address: Address,
  cidr: Prefix,
  step: bigint,
): NetworkRuleError[] {
  if (!contains(cidr, address)) return [{ field, message: `is ${address}, must lie in ${cidr}` }];
  const past = bitsOf(address) % step;
  if (past === 0n) return [];
  const start = addressFromBits(familyOf(address), bitsOf(address) - past);
  return [{ field, message: `is ${address}, must be the start of a subnet, for example ${start}` }];
}

/** Each field in which the store's network differs from the file's: `subnetLength 24 in the store, 25 in the file`. */
export function networkDifferences(inStore: NetworkConfig, inFile: NetworkConfig): readonly string[] {
  const differences: string[] = [];
  const compare = (name: string, left: unknown, right: unknown) => {
    if (equalJson(left, right)) return;
    differences.push(`${name} ${left ?? 'absent'} in the store, ${right ?? 'absent'} in the file`);
  };
  for (const [family, prefix] of [
    ['ipv4', ''],
    ['ipv6', 'ipv6 '],
  ] as const) {
    const [store, file] = [inStore[family], inFile[family]];
    if (store === undefined || file === undefined) {
      compare(`${prefix}cidr`, store?.cidr, file?.cidr);
      continue;
    }
    for (const field of ['cidr', 'subnetLength', 'subnetMin', 'subnetMax'] as const) {
      compare(prefix + field, store[field], file[field]);
    }
  }
  const names = new Set([...Object.keys(inStore.backend), ...Object.keys(inFile.backend)]);
  // Of another backend every option differs.
  for (const name of inStore.backend.type === inFile.backend.type ? names : ['type']) {
    compare(`backend.${name}`, inStore.backend[name], inFile.backend[name]);
  }
  return differences;
}

/** Bytes (RFC 8200, section 5). The kernel takes IPv6 away from a device with less. */
export const LEAST_IPV6_MTU = 1280;

/** The subnet that starts at `address`. */
export function subnetAt(network: FamilyNetwork, address: Address): Prefix {
  return `${address}/${network.subnetLength}` as Prefix;
}

/** Undefined when a host of `network` may hold `subnet`; else why not. */
export function subnetMisfit(network: FamilyNetwork, subnet: Prefix): string | undefined {
  const { subnetLength, subnetMin, subnetMax } = network;
  if (familyOf(subnet) !== familyOf(network.cidr)) return `not in ${network.cidr}`;
  if (lengthOf(subnet) !== subnetLength) return `length is ${lengthOf(subnet)}, must be ${subnetLength}`;
  const start = bitsOf(baseOf(subnet));
  if (start >= bitsOf(subnetMin) && start <= bitsOf(subnetMax)) return undefined;
  return `outside ${subnetMin} to ${subnetMax}`;
}
