/**
 * The kinds of objects that are reconciled and, for each, the fields we manage. A state holds managed fields
 * only, normalised, as plain JSON: what is not in it is never compared and never changed.
 */
import type { Address, Prefix } from './address.js';
import type { FastPathWish, SourceCheck } from './config.js';
import type { Desired } from './diff.js';
import type { FoundDockerBridge } from './docker/bridge.js';
import type { DockerSettings } from './docker/daemon-json.js';
import type { DesiredDocker, DockerSetting } from './docker/desired-docker.js';
import type { LeaseAttributes, Subnets } from './lease.js';
import type { NetworkConfig } from './network.js';
import type { Action, Plan } from './plan.js';

/** A command of the operator's, as it is run. */
export interface CommandLine {
  readonly argv: readonly string[];
  /** Beside what this process has. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
}

/** Something that a command was run for: the start, or another host's subnet. */
export interface CommandState {
  /** `pre-startup`, `post-startup`, `10.5.34.0/24`. */
  readonly purpose: string;
  readonly run?: CommandLine;
  /** Run when it is not wanted any more. */
  readonly undo?: CommandLine;
  /** What `run` printed. Never wanted, never compared. */
  readonly output?: string;
}

/** A network device. `alias` is our mark: `flannelette <instance>`. */
export interface LinkState {
  readonly name: string;
  /** IFLA_INFO_KIND; wanted are `tun` and `vxlan`. */
  readonly kind: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly alias: string;
  /** A TUN's IFF_MULTI_QUEUE can never change: a difference means delete and create. */
  readonly multiQueue?: boolean;
  readonly vxlan?: VxlanState;
}

/** A VXLAN device. All but its MAC and its offload is fixed when it is made. */
export interface VxlanState {
  readonly vni: number;
  /** UDP, of both ends. */
  readonly port: number;
  /** Source address of the outer packets; its family is that of all of them. */
  readonly local?: Address;
  /** The device that the outer packets leave by. */
  readonly underlay?: string;
  /** Whether it takes FDB entries from what comes in. */
  readonly learning: boolean;
  /** Group Based Policy: the packet's mark travels along. */
  readonly gbp: boolean;
  /** Lower case, with colons: `66:6c:0a:08:41:35`. */
  readonly mac: string;
  /** Whether checksums are left to the hardware (ethtool's tx-checksumming). Not wanted either way when absent. */
  readonly txChecksumOffload?: boolean;
}

export interface AddressState {
  readonly link: string;
  readonly address: Address;
  /** Prefix length on the interface, 32 for flannel0. */
  readonly length: number;
}

/** A route; a field that is absent is not set in the kernel. */
export interface RouteState {
  readonly destination: Prefix;
  readonly table: number;
  readonly tos: number;
  readonly metric: number;
  readonly link?: string;
  readonly via?: Address;
  readonly onlink: boolean;
  /** RTN_* and RT_SCOPE_* of linux/rtnetlink.h by name; wanted are `unicast`, and `global` or `link`. */
  readonly type: string;
  readonly scope: NetlinkScope;
  /** Who made it (RTPROT_*), where that was not us: it is deleted by this. Never wanted, never compared. */
  readonly protocol?: number;
}

/** RT_SCOPE_* of linux/rtnetlink.h; `global` is RT_SCOPE_UNIVERSE. */
export type NetlinkScope = 'global' | 'site' | 'link' | 'host' | 'nowhere';

/** A permanent entry of the neighbour table: packets to `address` on `link` go to `mac`, and nobody asks for it. */
export interface NeighbourState {
  readonly link: string;
  readonly address: Address;
  readonly mac: string;
}

/** A permanent entry of a VXLAN device's forwarding database: frames to `mac` go to the host at `destination`. */
export interface FdbState {
  readonly link: string;
  readonly mac: string;
  readonly destination: Address;
  /** Absent on every wanted one: then all is as the device says. */
  readonly overrides?: FdbOverrides;
}

/** What a forwarding entry has of its own; the kernel tells of it only where it differs from the device's. */
export interface FdbOverrides {
  /** UDP. */
  readonly port?: number;
  readonly vni?: number;
  /** Number of the link that the outer packets leave by. */
  readonly via?: number;
}

export interface SysctlState {
  /** With dots, as sysctl(8) prints it; a device name with a dot in it is written with a slash there. */
  readonly name: string;
  readonly value: string;
  /** A kernel without IPv6 has none of its settings, and needs none: absent is as good as wanted. */
  readonly optional?: true;
}

/** `undefined` matches everything. Order of evaluation: all given matches must hold. */
export interface NatRule {
  readonly source?: { readonly prefix: Prefix; readonly negated: boolean };
  readonly destination?: { readonly prefix: Prefix; readonly negated: boolean };
  /** `meta mark & mask == value`. */
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly verdict: 'return' | 'masquerade';
}

/** Our own nft table with its one postrouting chain, as a whole. */
export interface MasqueradeState {
  readonly family: 'ipv4' | 'ipv6';
  readonly table: string;
  readonly rules: readonly NatRule[];
  /** What stands in the table that the rules cannot express; always empty when wanted. */
  readonly unreadable: readonly string[];
}

/** Our own chain in the filter table and the jump to it from FORWARD. */
export interface ForwardState {
  readonly family: 'ipv4' | 'ipv6';
  readonly chain: string;
  /** Accepted as source and as destination, in order. */
  readonly accept: readonly Prefix[];
  readonly jump: boolean;
  /** Rules in our chain that are none of ours, as iptables prints them; always empty when wanted. */
  readonly unreadable: readonly string[];
}

/** A chain or a table by which flannel masqueraded. Never wanted: ours is the table beside it. */
export interface FlannelRulesState {
  readonly family: 'ipv4' | 'ipv6';
  /** Through what it was made, and is removed. */
  readonly place: 'nft' | 'iptables' | 'iptables-legacy';
  /** Of a table where the place is nft (`flannel-ipv4`), else of a chain of the nat table (`FLANNEL-POSTRTG`). */
  readonly name: string;
}

export interface FileState {
  readonly path: string;
  readonly content: string;
  /** Permission bits. */
  readonly mode: number;
  /** Why what stands there cannot be read; content and mode then say nothing. */
  readonly unreadable?: string;
}

/** Our settings in Docker's daemon.json, which is the operator's. */
export interface DockerSettingsState {
  readonly path: string;
  readonly settings: DockerSettings;
  /** Those that somebody else wrote; always empty when wanted. */
  readonly foreign: readonly DockerSetting[];
  /** Why the file cannot be read as daemon.json. */
  readonly invalid?: string;
  /** The options file that gives dockerd the same settings as flags: it refuses to start with both. */
  readonly flags?: string;
}

/** Docker's bridge, held against what Docker should have been started with. Only ever observed. */
export interface DockerBridgeState {
  readonly want: DesiredDocker;
  readonly found: FoundDockerBridge;
}

/** The network as published in the store; `invalid` says why what stands there is none. */
export type NetworkConfigState =
  | {
      readonly config: NetworkConfig;
      /** As wanted, but this host has not noted yet that it publishes it (`publish: always`). Never wanted. */
      readonly unrecorded?: true;
    }
  | { readonly invalid: string };

export interface LeaseState {
  readonly subnets: Subnets;
  readonly attributes: LeaseAttributes;
}

/** What the packet loop runs with. */
export interface ForwarderState {
  readonly tun: string;
  /** How many threads move packets; more than one need a TUN with several queues. */
  readonly workers: number;
  readonly mtu: number;
  /** Our address on the TUN: the source of our ICMP errors. */
  readonly tunAddress: Address;
  readonly subnet: Prefix;
  readonly publicIp: Address;
  readonly bind: { readonly address: Address; readonly port: number };
  readonly sourceCheck: SourceCheck;
  /** Whether the kernel is asked to move many packets at once. */
  readonly offload: boolean;
  /** Whether the kernel is asked to carry packets that need nothing special past the loop. */
  readonly fastPath: FastPathWish;
}

/** A row of the packet loop's table: packets to `subnet` go to `publicIp:port`. */
export interface PeerState {
  readonly subnet: Prefix;
  readonly publicIp: Address;
  readonly port: number;
}

/** Kind of object → its state. The order is the order in which one-shot `apply` creates; deletes run backwards. */
export interface StateOf {
  'network-config': NetworkConfigState;
  command: CommandState;
  lease: LeaseState;
  link: LinkState;
  sysctl: SysctlState;
  address: AddressState;
  forwarder: ForwarderState;
  peer: PeerState;
  fdb: FdbState;
  neighbour: NeighbourState;
  route: RouteState;
  masquerade: MasqueradeState;
  forward: ForwardState;
  'flannel-rules': FlannelRulesState;
  file: FileState;
  'docker-settings': DockerSettingsState;
  'docker-bridge': DockerBridgeState;
}

export type KindName = keyof StateOf;

export const KINDS = [
  'network-config',
  'command',
  'lease',
  'link',
  'sysctl',
  'address',
  'forwarder',
  'peer',
  'fdb',
  'neighbour',
  'route',
  'masquerade',
  'forward',
  'flannel-rules',
  'file',
  'docker-settings',
  'docker-bridge',
] as const satisfies readonly KindName[];

/** Kinds of objects in the store, where every host sees them; those of the others are this host's alone. */
export const IN_STORE: ReadonlySet<KindName> = new Set(['network-config', 'lease']);

export type DesiredObjects = { readonly [K in KindName]: readonly Desired<StateOf[K]>[] };
/** An action with the kind of its object. */
export type PlannedAction = Action & { readonly kind: KindName };

export type Plans = { readonly [K in KindName]?: Plan<StateOf[K]> };
