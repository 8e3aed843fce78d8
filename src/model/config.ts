/** The YAML file as values: every default applied, every text parsed. Made by src/config from the file's text. */
import type { Address } from './address.js';
import type { PublicIps, Subnets } from './lease.js';
import type { NetworkConfig } from './network.js';

export interface Config {
  readonly network: NetworkSection;
  readonly host: HostSection;
  readonly store: EtcdStoreSection | StaticStoreSection;
  readonly dataplane: DataplaneSection;
  readonly files: FilesSection;
  readonly docker: DockerSection;
  readonly monitoring: MonitoringSection;
  readonly instance: InstanceSection;
}

export interface NetworkSection {
  /** Absent when the file names no network, of either family: then the value in the store rules, live. */
  readonly declared?: NetworkConfig;
  /** `create` writes the network to the store when absent; `always` also when this host's file changed. */
  readonly publish: 'create' | 'always';
  /** Bytes; `auto` is the external interface's MTU less the backend's overhead. */
  readonly mtu: 'auto' | number;
  /** True: this host masquerades traffic that leaves the network, and Docker is told not to. */
  readonly ipMasq: boolean;
}

/** Which interface carries the packets to the other hosts. */
export type InterfaceSelector =
  | { readonly by: 'default-route' }
  | { readonly by: 'name'; readonly name: string }
  | { readonly by: 'address'; readonly address: Address }
  | { readonly by: 'regex'; readonly regex: string }
  | { readonly by: 'can-reach'; readonly address: Address };

export interface HostSection {
  readonly interface: InterfaceSelector;
  /** The addresses the other hosts send to; default: the interface's own. */
  readonly publicIps: PublicIps;
  /** Pins this host's subnets. */
  readonly subnets: Subnets;
  readonly renumber: RenumberRule;
}

/**
 * Whether this host takes another subnet than the one in use. `auto`: where another host holds that; what the file or
 * the network orders waits for a yes. `allow`: always. `never`: all of it waits.
 */
export type RenumberRule = 'auto' | 'allow' | 'never';

export interface EtcdStoreSection {
  readonly type: 'etcd';
  /** `http://` or `https://` URLs, at least one. */
  readonly endpoints: readonly string[];
  /** Without a trailing slash, for example `/coreos.com/network`. */
  readonly prefix: string;
  readonly username?: string;
  readonly passwordFile?: string;
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  readonly leaseTtlSeconds: number;
}

/** No server: the peers are written in the file. */
export interface StaticStoreSection {
  readonly type: 'static';
  readonly peers: readonly StaticPeer[];
}

/** Another host of a network without a server, or this one. */
export interface StaticPeer {
  readonly subnets: Subnets;
  readonly publicIps: PublicIps;
}

export interface DataplaneSection {
  /** How many threads move packets. More than 1 makes the TUN multi-queue. */
  readonly workers: number | 'auto';
  /** Which inner packets are accepted from a peer; see dataplane/verdict.ts. */
  readonly sourceCheck: SourceCheck;
  /** False: every packet moves by itself, whatever the kernel can do for many at once. */
  readonly offload: boolean;
  /** Whether the kernel is asked to carry packets that need nothing special past the loop. */
  readonly fastPath: FastPathWish;
}

export type SourceCheck = 'strict' | 'peer' | 'off';

/** `auto`: where nothing on this host would have to see the datagrams that the kernel then carries. */
export type FastPathWish = boolean | 'auto';

/** Absolute paths. */
export interface FilesSection {
  readonly subnetEnv: string;
  readonly dockerOptions: string;
}

export interface DockerSection {
  /** How Docker is told its part of the network: by a file of flags, by its own configuration file, or not by us. */
  readonly mode: 'options-file' | 'daemon-json' | 'off';
  /** Absolute path of Docker's own configuration file. */
  readonly daemonJson: string;
  /** The bridge that Docker makes. */
  readonly bridge: string;
  /** The operator's command, as arguments, to run when Docker is out of step. */
  readonly onChange?: readonly string[];
}

/** Where monitoring is answered over TCP; the daemon's socket answers in any case. */
export interface MonitoringSection {
  readonly address: Address;
  /** Absent: nobody listens. */
  readonly port?: number;
}

/** What an instance is called and where its daemon answers, unless the file says otherwise. */
export const DEFAULT_INSTANCE = { name: 'flannel0', runtimeDirectory: '/run/flannelette' } as const;

export interface InstanceSection {
  /** Names the device, the nft table, the chain suffix, the lock, the socket and the state directory. */
  readonly name: string;
  /** rtm_protocol of our routes (linux/rtnetlink.h): how we know them again. */
  readonly routeProtocol: number;
  /** Holds the status socket; on tmpfs. */
  readonly runtimeDirectory: string;
  /** Holds what must survive a reboot. */
  readonly stateDirectory: string;
}
