/** The network that all hosts share: what flannel keeps under `<prefix>/config`, with its defaults applied. */
import { type Address, FAMILIES, type Family, type Prefix } from './address.js';
import type { OptionValue } from './backends/options.js';

/** One address family's part of the network. `subnetMin` and `subnetMax` are network addresses of subnets, inclusive. */
export interface FamilyNetwork {
  readonly cidr: Prefix;
  /** Prefix length of each host's subnet. */
  readonly subnetLength: number;
  readonly subnetMin: Address;
  readonly subnetMax: Address;
}

/**
 * The backend and its options, as every host of the network must agree on them. Which options a type has is said by
 * its entry in backends/table.ts; whoever reads a network from a text has checked them and applied the defaults.
 */
export interface BackendConfig {
  readonly type: string;
  readonly [option: string]: OptionValue | undefined;
}

/** At least one family is there. */
export interface NetworkConfig {
  readonly ipv4?: FamilyNetwork;
  readonly ipv6?: FamilyNetwork;
  readonly backend: BackendConfig;
}

export function familiesOf(network: Pick<NetworkConfig, Family>): readonly Family[] {
  return FAMILIES.filter((family) => network[family] !== undefined);
}

export function cidrsOf(network: Pick<NetworkConfig, Family>): readonly Prefix[] {
  return FAMILIES.flatMap((family) => network[family]?.cidr ?? []);
}
