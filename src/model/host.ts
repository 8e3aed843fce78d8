/** What the host itself says: the external interface, the public addresses, the subnet it had before. */
import type { Address, Prefix } from './address.js';

export interface ExternalInterface {
  readonly name: string;
  /** Bytes. */
  readonly mtu: number;
  readonly ipv4?: Address;
  readonly ipv6?: Address;
  /** Why this one: `default route`, `host.interface: eth0`. */
  readonly chosenBy: string;
}

export interface HostFacts {
  readonly external: ExternalInterface;
  readonly publicIps: { readonly ipv4?: Address; readonly ipv6?: Address };
  /** FLANNEL_SUBNET of an earlier subnet.env, masked to its network. */
  readonly previousSubnet?: Prefix;
}
