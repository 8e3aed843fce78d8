/** What `doctor` judges: one look at the file, this host, the store and the way to the others. Plain data. */
import type { Address, Prefix } from '../address.js';
import type { StoreTrouble } from '../conditions.js';
import type { Config } from '../config.js';
import type { DesiredState, Undecided } from '../desired.js';
import type { DockerBridgeState, Plans } from '../objects.js';
import type { StoreView } from '../store-view.js';
import type { FirewallFacts } from './packet-way.js';

/** What could not be seen is absent, and named in `unseen`; whoever needs it finds nothing then. */
export interface DoctorFacts {
  /** Absolute. */
  readonly configPath: string;
  readonly config: Config;
  /** A privilege or a device that is missing, as PrivilegeError names it. */
  readonly missingPrivilege?: { readonly capability: string; readonly message: string };
  /** Files with secrets, or with keys. */
  readonly secrets: readonly { readonly path: string; readonly mode: number }[];
  /** As in proc_pid_mountinfo(5). */
  readonly mounts?: readonly Mount[];
  /** What etcd's clock says less what ours says. */
  readonly clockOffMs?: number;
  readonly store?: StoreFacts;
  /** The network in the file, as JSON for etcd. */
  readonly declaredJson?: string;
  readonly state?: DesiredState | Undecided;
  /** Why there is no interface to the other hosts. While the store is away the state does not say it. */
  readonly interfaceTrouble?: string;
  readonly plans?: Plans;
  readonly docker?: DockerBridgeState;
  readonly kernel?: KernelFacts;
  readonly firewall?: FirewallFacts;
  /** Who listens on the backend's UDP port; absent when nobody does. */
  readonly listener?: { readonly pid?: number; readonly program?: string };
  /** How large packets pass to some of the other hosts, in the order asked. */
  readonly paths?: readonly PathFacts[];
  /** How many datagrams were dropped for their checksum while we looked. */
  readonly checksumErrors?: number;
  /** The daemon's process, when one answers. */
  readonly daemon?: { readonly pid: number };
  /** Whether systemd has been given a unit of ours. */
  readonly hasUnit: boolean;
  readonly unseen: readonly Unseen[];
}

export interface Unseen {
  /** `the firewall`. */
  readonly what: string;
  readonly why: string;
}

export interface Mount {
  readonly path: string;
  readonly isReadOnly: boolean;
}

export interface StoreFacts {
  readonly failure?: { readonly trouble: StoreTrouble; readonly message: string };
  readonly alarms: readonly string[];
  /** The quickest of some. */
  readonly roundTripMs?: number;
  readonly view?: StoreView;
  readonly revision?: bigint;
}

export interface KernelFacts {
  readonly links: readonly { readonly name: string; readonly up: boolean; readonly mtu: number }[];
  readonly addresses: readonly {
    readonly link: string;
    readonly address: Address;
    readonly length: number;
  }[];
  /** Of all tables. */
  readonly routes: readonly FoundRoute[];
  readonly rules: readonly RoutingRule[];
  /** By name; those that the kernel lacks are absent. */
  readonly sysctls: Readonly<Record<string, string | undefined>>;
  /** Destination → the link that the kernel would choose; undefined: it would refuse. */
  readonly ways: ReadonlyMap<Address, string | undefined>;
}

export interface FoundRoute {
  readonly destination: Prefix;
  readonly table: number;
  readonly metric: number;
  /** RTPROT_*, linux/rtnetlink.h. */
  readonly protocol: number;
  readonly type: string;
  readonly link?: string;
  readonly via?: Address;
}

/** As ip-rule(8) has it. */
export interface RoutingRule {
  readonly priority: number;
  /** A number, or a name of /etc/iproute2/rt_tables. */
  readonly table: string;
  /** Absent: all. */
  readonly to?: Prefix;
}

export interface PathFacts {
  readonly to: Address;
  /** Bytes of an IP packet; absent when the host answers no echo at all. */
  readonly passes?: number;
  /** The largest that was tried. */
  readonly tried: number;
}
