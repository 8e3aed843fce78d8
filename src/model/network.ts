/** The network that all hosts share: what flannel keeps under `<prefix>/config`, with its defaults applied. */
import type { Address, Prefix } from './address.js';

/** One address family's part of the network. `subnetMin` and `subnetMax` are network addresses of subnets, inclusive. */
export interface FamilyNetwork {
  readonly cidr: Prefix;
  /** Prefix length of each host's subnet. */
  readonly subnetLength: number;
  readonly subnetMin: Address;
  readonly subnetMax: Address;
}

/** The backend and its options, as every host of the network must agree on them. */
export type BackendConfig = {
  readonly type: 'udp';
  /** UDP port, the same on every host: it is not part of a lease. */
  readonly port: number;
};

export interface NetworkConfig {
  readonly ipv4?: FamilyNetwork;
  readonly ipv6?: FamilyNetwork;
  readonly backend: BackendConfig;
}
