/** What the host itself says: the external interface, the public addresses, the subnet it had before. */
import { type Address, contains, lengthOf, type Prefix } from './address.js';
import type { PublicIps, Subnets } from './lease.js';

export interface ExternalInterface {
  readonly name: string;
  /** Bytes. */
  readonly mtu: number;
  readonly ipv4?: Address;
  readonly ipv6?: Address;
  /** Why this one: `default route`, `host.interface: eth0`. */
  readonly chosenBy: string;
}

/** A route of the host's own: whether packets to `prefix` go straight to their receiver, by the external interface. */
export interface Reach {
  readonly prefix: Prefix;
  readonly direct: boolean;
}

export interface HostFacts {
  readonly external: ExternalInterface;
  readonly publicIps: PublicIps;
  /** What the external interface reaches without a gateway, and the narrower routes in there that lead elsewhere. */
  readonly reach: readonly Reach[];
  /** What the operator's command of before the start has printed (backend extension). */
  readonly startupOutput?: string;
  /** FLANNEL_SUBNET and FLANNEL_IPV6_SUBNET of an earlier subnet.env, masked to their networks. */
  readonly previousSubnets?: Subnets;
  /** The kernel itself takes routes of this interface from IPv6 router advertisements (accept_ra). */
  readonly takesRouterAdvertisements?: true;
}

/** Whether the kernel would send to `address` without a gateway: the narrowest route decides. */
export function isOnLink({ reach }: HostFacts, address: Address): boolean {
  const [narrowest] = reach
    .filter(({ prefix }) => contains(prefix, address))
    .sort((left, right) => lengthOf(right.prefix) - lengthOf(left.prefix));
  return narrowest?.direct ?? false;
}
