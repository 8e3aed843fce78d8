/** The kernel's devices, addresses, neighbours and routes. */
import type { Address, Prefix } from '../model/address.js';
import type { FdbState, NeighbourState, VxlanState } from '../model/objects.js';
import type { SystemError } from './errors.js';

export interface NetlinkLink {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND: `tun`, `veth`, `bridge`; absent for a physical device. */
  readonly kind?: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly alias?: string;
  readonly tun?: { readonly mode: 'tun' | 'tap'; readonly persist: boolean; readonly multiQueue: boolean };
  readonly vxlan?: VxlanState;
}

/** An entry of the neighbour table. */
export interface NetlinkNeighbour extends NeighbourState {
  /** NUD_PERMANENT: neither asked for nor forgotten. */
  readonly permanent: boolean;
}

/** An entry of a VXLAN device's forwarding database. */
export interface NetlinkFdbEntry extends FdbState {
  /** NUD_PERMANENT: written by somebody, not learned. */
  readonly permanent: boolean;
}

export interface NetlinkAddress {
  readonly link: string;
  readonly address: Address;
  readonly length: number;
  readonly scope: 'global' | 'site' | 'link' | 'host' | 'nowhere';
  readonly deprecated: boolean;
  readonly permanent: boolean;
  /** IPv6: of passing use, for privacy (RFC 8981). */
  readonly temporary: boolean;
  /** IPv6: not known yet to be this host's alone, or known not to be (RFC 4862, section 5.4). */
  readonly tentative: boolean;
}

export interface NetlinkRoute {
  readonly destination: Prefix;
  readonly table: number;
  readonly tos: number;
  readonly metric: number;
  readonly protocol: number;
  readonly scope: 'global' | 'site' | 'link' | 'host' | 'nowhere';
  readonly type:
    | 'unicast'
    | 'local'
    | 'broadcast'
    | 'multicast'
    | 'blackhole'
    | 'unreachable'
    | 'prohibit'
    | 'other';
  readonly link?: string;
  readonly via?: Address;
  readonly preferredSource?: Address;
  readonly onlink: boolean;
  /** Several next hops: never one of ours. */
  readonly multipath: boolean;
}

/** A route as we write it. Types other than unicast are never written. */
export type NetlinkRouteSpec = Pick<
  NetlinkRoute,
  | 'destination'
  | 'table'
  | 'tos'
  | 'metric'
  | 'protocol'
  | 'scope'
  | 'link'
  | 'via'
  | 'onlink'
  | 'preferredSource'
>;

export type NetlinkRequest =
  | {
      readonly op: 'set-link';
      readonly name: string;
      readonly mtu?: number;
      readonly up?: boolean;
      readonly alias?: string;
      readonly mac?: string;
    }
  /** Down, with the MTU that the underlay leaves, and with checksum offload. EEXIST when a link of that name, or of that VNI and port, is there. */
  | { readonly op: 'add-vxlan'; readonly name: string; readonly vxlan: VxlanState }
  | { readonly op: 'delete-link'; readonly name: string }
  | {
      readonly op: 'add-address' | 'delete-address';
      readonly link: string;
      readonly address: Address;
      readonly length: number;
    }
  /** add: EEXIST when the place is taken. replace: overwrites whatever is there, whoever made it. */
  | { readonly op: 'add-route' | 'replace-route' | 'delete-route'; readonly route: NetlinkRouteSpec }
  /** Permanent ones; replace: whatever there is for the address. ENOENT when there is nothing to delete. */
  | ({ readonly op: 'replace-neighbour' | 'delete-neighbour' } & NeighbourState)
  /**
   * Permanent ones; replace: whatever there is for the MAC. ENOENT when there is nothing to delete; one with another
   * destination or other overrides stays without an error.
   */
  | ({ readonly op: 'replace-fdb' | 'delete-fdb' } & FdbState);

/**
 * `neighbour`: neighbours and forwarding entries alike. `netconf`: forwarding, rp_filter and some more of the settings of
 * a device or of all of them.
 */
export type NetlinkGroup =
  | 'link'
  | 'neighbour'
  | 'ipv4-address'
  | 'ipv6-address'
  | 'ipv4-route'
  | 'ipv6-route'
  | 'ipv4-netconf'
  | 'ipv6-netconf';

/** Reads reject with ObserveError when a dump was interrupted or incomplete after its retries. */
export interface Netlink {
  links(): Promise<readonly NetlinkLink[]>;
  addresses(): Promise<readonly NetlinkAddress[]>;
  /** All tables unless one is given. */
  routes(filter?: { readonly table?: number; readonly protocol?: number }): Promise<readonly NetlinkRoute[]>;
  /** Those with a MAC, on one link; none when the link is gone. */
  neighbours(link: string): Promise<readonly NetlinkNeighbour[]>;
  /** Those of a VXLAN device that name a host, but for the one of all other MACs; none when the link is gone. */
  fdb(link: string): Promise<readonly NetlinkFdbEntry[]>;
  /** The kernel's own choice (RTM_GETROUTE); undefined when unreachable. */
  routeTo(
    destination: Address,
  ): Promise<{ readonly link: string; readonly source?: Address; readonly via?: Address } | undefined>;
  /**
   * Carried out in order; one entry each, undefined for success. A link name that does not exist gives ENODEV, also when
   * an earlier one of `requests` makes it: names are looked up first.
   */
  request(requests: readonly NetlinkRequest[]): Promise<readonly (SystemError | undefined)[]>;
  /** Rejects with SystemError, for example ENODEV. */
  setTxChecksumOffload(link: string, on: boolean): Promise<void>;
  /**
   * Wakes on any message of the groups, also after an overrun (ENOBUFS), until `signal` aborts. Where `devices` is given,
   * `neighbour` is silent about all other devices; with `link` among the groups, names are those of the time.
   */
  watch(
    groups: readonly NetlinkGroup[],
    wake: () => void,
    signal: AbortSignal,
    devices?: () => readonly string[],
  ): void;
  /**
   * Wakes on any message about routes and links, as `watch` does, and says whether one of them may have been about
   * somebody else's route into one of the networks: in the main table, without the number `ours`.
   */
  watchRoutes(
    concerned: { readonly ours: number; readonly networks: () => readonly Prefix[] },
    wake: (isForeign: boolean) => void,
    signal: AbortSignal,
  ): void;
}
