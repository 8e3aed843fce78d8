/** Every effect the program has, as an interface. src/sys implements them; test/fakes answers as strictly as the real ones. */
import type { Address, Family, Prefix } from './model/address.js';
import type { CapturedPacket, CaptureQuestion } from './model/captured-packet.js';
import type { StoreTrouble } from './model/conditions.js';
import type { BridgeFirewall } from './model/docker/bridge.js';
import type {
  FdbState,
  FlannelRulesState,
  ForwarderState,
  ForwardState,
  KindName,
  MasqueradeState,
  NeighbourState,
  PeerState,
  SysctlState,
  VxlanState,
} from './model/objects.js';
import type { Action, ActionResult } from './model/plan.js';
import type { StoreEntry } from './model/store-view.js';

// ---- time and chance -------------------------------------------------------------------------------------

export interface Clock {
  /** Milliseconds since the epoch, for people. Jumps when the wall clock is set. */
  now(): number;
  /** Milliseconds on CLOCK_BOOTTIME: runs on through suspend, never jumps. Deadlines count on it. */
  boottimeMs(): number;
  /** Resolves after `ms`; rejects with the signal's reason on abort. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** For what is to be done to its end, whoever has had enough meanwhile. It never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;

export interface Random {
  /** In [0, 1). */
  next(): number;
}

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

// ---- errors, classed by what the caller does -------------------------------------------------------------

/** The world could not be read completely: try again later, change nothing. */
export class ObserveError extends Error {
  override readonly name = 'ObserveError';
}

/** A privilege is missing: give up and name it. */
export class PrivilegeError extends Error {
  override readonly name = 'PrivilegeError';
  constructor(
    message: string,
    /** What is missing: `CAP_NET_ADMIN`, `/dev/net/tun`. */
    readonly capability: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The store cannot be reached or does not answer in time: try again later. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
  constructor(
    message: string,
    readonly trouble: StoreTrouble = 'unreachable',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An errno of a system call, with what it was about: `EEXIST`, `route 10.5.34.0/24 dev flannel0`. */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  constructor(
    message: string,
    /** Symbolic, for example `EEXIST`. */
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whatever was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

// ---- the store -------------------------------------------------------------------------------------------

export type { StoreEntry };

export interface StoreSnapshot {
  readonly revision: bigint;
  /** Identity of the store: another one means that revisions cannot be compared. */
  readonly clusterId: string;
  /** `config` (if there) and everything below `subnets/`, at one revision. */
  readonly entries: readonly StoreEntry[];
}

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: StoreEntry }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: bigint };

export type WatchEnd =
  | { readonly why: 'aborted' | 'ended' | 'no answer' }
  /** The store serves, and is to be asked over a new connection. */
  | { readonly why: 'renewed' }
  | { readonly why: 'compacted'; readonly revision: bigint }
  | { readonly why: 'failed'; readonly error: Error };

/** The keys of one network. Every call rejects with StoreUnavailableError within its deadline, or with the signal's reason. */
export interface Store {
  /** For people: `etcd http://10.8.64.10:2379`. Holds no secret. */
  readonly description: string;
  snapshot(signal: AbortSignal): Promise<StoreSnapshot>;
  /** One attempt; always settles, never rejects. The caller takes a snapshot again, then watches from its revision + 1. */
  watch(
    from: bigint,
    onEvents: (events: readonly StoreEvent[]) => void,
    signal: AbortSignal,
  ): Promise<WatchEnd>;
  /**
   * Writes only if the key's modification revision is still `expected` (0n: the key is absent). `lease: '0'`
   * hangs the key on no etcd lease. Resolves with false, having written nothing, when somebody was faster.
   */
  compareAndPut(put: StorePut, signal: AbortSignal): Promise<boolean>;
  compareAndDelete(key: string, expected: bigint, signal: AbortSignal): Promise<boolean>;
  /** Resolves with the new lease's id. */
  grantLease(ttlSeconds: number, signal: AbortSignal): Promise<string>;
  /** Resolves with the seconds left, 0 when the lease is gone. */
  keepAlive(lease: string, signal: AbortSignal): Promise<number>;
  /** Resolves with the seconds left, 0 when the lease is gone. Does not refresh it. */
  secondsLeft(lease: string, signal: AbortSignal): Promise<number>;
  /** Gone already is success. */
  revokeLease(lease: string, signal: AbortSignal): Promise<void>;
  /** What the store complains of itself, though it serves: `NOSPACE`. */
  alarms(signal: AbortSignal): Promise<readonly string[]>;
  /** Connections are made anew: those that are open may lead from an address that this host has no more. */
  renew(): void;
  /** Ends watches and connections. */
  close(): void;
}

export interface StorePut {
  readonly key: string;
  readonly value: string;
  readonly expected: bigint;
  readonly lease: string;
}

// ---- the kernel ------------------------------------------------------------------------------------------

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
}

export interface Tuns {
  /** Creates a persistent TUN (no packet information header), or does nothing when it is there already. Throws SystemError or PrivilegeError. */
  create(name: string, options: { readonly multiQueue: boolean }): void;
}

export interface Sysctls {
  /** Undefined when the kernel has no such setting, for example because the device is absent. */
  read(name: string): Promise<string | undefined>;
  /** Throws SystemError. */
  write(setting: SysctlState): Promise<void>;
}

export interface FoundForward {
  readonly state: ForwardState;
  /** Read from the comments of the rules: flanneld's chain has the same name. */
  readonly ours: boolean;
}

/** A table of masquerade rules, or a chain of the filter table. */
export interface FirewallPlace {
  readonly what: 'masquerade' | 'forward';
  readonly family: Family;
  readonly name: string;
}

export interface BridgeQuestion {
  readonly bridge: string;
  /** Of the containers on the bridge. */
  readonly subnet: Prefix;
  /** Where packets of other hosts' containers come in. */
  readonly devices: readonly string[];
}

/** Reads reject with ObserveError, writes with SystemError, both with PrivilegeError or with the signal's reason. */
export interface Firewall {
  /** Undefined when the table is absent. */
  masquerade(
    family: MasqueradeState['family'],
    table: string,
    signal: AbortSignal,
  ): Promise<MasqueradeState | undefined>;
  /** Replaces the whole table in one transaction; `masquerade` then gives `state` back. EINVAL for a state with unreadable parts. */
  replaceMasquerade(state: MasqueradeState, signal: AbortSignal): Promise<void>;
  /** Gone already is success. */
  deleteMasquerade(family: MasqueradeState['family'], table: string, signal: AbortSignal): Promise<void>;
  /** Undefined when the chain is absent. */
  forward(
    family: ForwardState['family'],
    chain: string,
    signal: AbortSignal,
  ): Promise<FoundForward | undefined>;
  /** Replaces the chain, whoever made it, and makes or removes the jump, at once; `forward` then gives `state` back. EINVAL for a state with unreadable parts. */
  replaceForward(state: ForwardState, signal: AbortSignal): Promise<void>;
  /** Removes every jump to the chain, and the chain. Gone already is success. */
  deleteForward(family: ForwardState['family'], chain: string, signal: AbortSignal): Promise<void>;
  /** All that stands there, whoever wrote it, in words of the program; two of the same rules are equal. Undefined when it is absent. */
  copyOf(place: FirewallPlace, signal: AbortSignal): Promise<string | undefined>;
  /** Makes it what `copy` says, at once; the place of a jump among others is not kept. */
  putBack(place: FirewallPlace, copy: string | undefined, signal: AbortSignal): Promise<void>;
  /** What flannel has left that masquerades, in every place where it may be. */
  flannelRules(signal: AbortSignal): Promise<readonly FlannelRulesState[]>;
  /** Removes it, and every rule that leads there. Gone already is success. */
  deleteFlannelRules(state: FlannelRulesState, signal: AbortSignal): Promise<void>;
  /** What Docker's rules, and the others on the way, do to the packets of a bridge. Read only. */
  bridgeFirewall(question: BridgeQuestion, signal: AbortSignal): Promise<BridgeFirewall>;
  /** Wakes on any change of the ruleset made through nf_tables, until `signal` aborts. */
  watch(wake: () => void, signal: AbortSignal): void;
}

// ---- files -----------------------------------------------------------------------------------------------

export interface Files {
  /** Undefined when there is no such file. Throws SystemError for anything else, also for a file above `mostBytes`, 1 MiB unless given. */
  read(
    path: string,
    mostBytes?: number,
  ): Promise<{ readonly content: string; readonly mode: number } | undefined>;
  /** Temporary file, fsync, rename, fsync of the directory; makes missing directories (0755). A reader sees the old file or the new one, never half. */
  write(path: string, content: string, mode: number): Promise<void>;
  /** At the end of a file that is there: ENOENT otherwise. A reader may see a part of it, and so may whoever comes after a crash. */
  append(path: string, content: string): Promise<void>;
  /** Gone already is success. */
  remove(path: string): Promise<void>;
  /** Wakes when one of `paths`, or something in one that is a directory, may have changed, also by rename, symlink swap or re-creation of its directory. */
  watch(paths: readonly string[], wake: () => void, signal: AbortSignal): void;
}

/** Whole directories, for who puts one in the place of another. Each rejects with SystemError. */
export interface Directories {
  /** The names in it, sorted; undefined where there is no directory. */
  list(path: string): Promise<readonly string[] | undefined>;
  /** With all that is in it and its owner; nothing may stand at `to`. */
  copy(from: string, to: string): Promise<void>;
  /** A second name for a file on the same file system, durably; nothing may stand at `to`. */
  link(from: string, to: string): Promise<void>;
  /** Under another name on the same file system, at once and durably. A file takes the place of one; else nothing may stand at `to`. */
  move(from: string, to: string): Promise<void>;
  /** A directory with all that is in it, or a file. Gone already is success. */
  removeTree(path: string): Promise<void>;
}

// ---- the operator's commands ------------------------------------------------------------------------------

export interface Commands {
  /**
   * Runs to the end, without a shell and without input unless one is given, and resolves with any exit code. Rejects with SystemError when
   * it cannot be started or is not done in time (then it is killed), and with the signal's reason.
   */
  run(
    argv: readonly string[],
    deadlineMs: number,
    signal: AbortSignal,
    surroundings?: { readonly env: Readonly<Record<string, string>>; readonly input: string },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

// ---- the data plane --------------------------------------------------------------------------------------

export interface DataPlaneCounters {
  /** Packets and bytes out of the TUN to peers, and from peers into the TUN. */
  readonly sent: { readonly packets: number; readonly bytes: number };
  readonly received: { readonly packets: number; readonly bytes: number };
  /** Reason → packets. */
  readonly drops: Readonly<Record<string, number>>;
  readonly peers: readonly PeerCounters[];
}

export interface PeerCounters {
  readonly subnet: Prefix;
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly drops: number;
  /** Milliseconds since the epoch; absent when nothing came yet. */
  readonly lastReceivedAt?: number;
}

/** Goes on until it is ended, also with a loop that takes the place of one that died. */
export interface PacketCapture {
  /** What has come since the last call, and how many packets were left out because that was too long ago. */
  take(): { readonly packets: readonly CapturedPacket[]; readonly missed: number };
  end(signal: AbortSignal): Promise<void>;
}

/** What the kernel does for the packet loop, many packets at a time; without one the loop does with single packets. */
export interface Offloads {
  /** TCP through the TUN. */
  readonly tso: boolean;
  /** UDP through the TUN. */
  readonly uso: boolean;
  /** Datagrams to peers. */
  readonly udpSegment: boolean;
  /** Datagrams from peers. */
  readonly udpGro: boolean;
}

/** The packet loop, seen from the control plane. It runs in a thread of its own and goes on when this side stalls. */
export interface DataPlane {
  /** What the loop confirmed to be running with; undefined when it does not run. */
  forwarder(): ForwarderState | undefined;
  /** The rows the loop confirmed to have. */
  peers(): readonly PeerState[];
  /** Opens TUN and socket, or changes what the loop runs with; rejects with SystemError (EADDRINUSE, EADDRNOTAVAIL, ENODEV, EBUSY). */
  configure(state: ForwarderState, signal: AbortSignal): Promise<void>;
  /** Closes TUN and socket; the persistent TUN stays. */
  shutDown(signal: AbortSignal): Promise<void>;
  /** Rows to set (by subnet) and subnets to forget; resolves once the loop has them. */
  updatePeers(
    change: { readonly set: readonly PeerState[]; readonly remove: readonly Prefix[] },
    signal: AbortSignal,
  ): Promise<void>;
  counters(): DataPlaneCounters;
  /** Shows the packets that `question` asks for, in place of the last capture. Rejects with SystemError: EINVAL for a question that makes no sense, ENOTCONN when no loop runs. */
  capture(question: CaptureQuestion, signal: AbortSignal): Promise<PacketCapture>;
  /** Of the TUN and the socket in use; all false when there is none. */
  offloads(): Offloads;
  /** Wakes when the loop stopped, lost its TUN or socket, or confirmed something. */
  watch(wake: () => void, signal: AbortSignal): void;
}

/**
 * Sends one datagram that says nothing to a UDP port and waits a moment for an error. `silent`: somebody takes it, or nobody
 * tells. Rejects with SystemError when this host does not let it out, and on abort.
 */
export type UdpKnock = (
  address: Address,
  port: number,
  signal: AbortSignal,
) => Promise<'silent' | 'refused' | 'unreachable'>;

// ---- the service manager ---------------------------------------------------------------------------------

/** What a service manager can be told; all that stands in one message takes effect at once. */
export interface News {
  /** What it was started for works. Ends a reload too. */
  readonly ready?: true;
  readonly reloading?: true;
  readonly stopping?: true;
  /** A sign of life. */
  readonly alive?: true;
  /** Not ready yet, and not stuck: wait that much longer. */
  readonly patienceMs?: number;
  /** One line for people. */
  readonly status?: string;
}

/** Whoever started this process and looks after it: systemd, or nobody. */
export interface Notifier {
  /** How often a sign of life is wanted at least; undefined when nobody looks for any. */
  readonly watchdogMs: number | undefined;
  /** False when the message could not be put down now: send it again. Never throws; that nobody listens is no failure. */
  send(news: News): boolean;
}

// ---- monitoring ---------------------------------------------------------------------------------------------

/** What is counted and timed as it happens; everything else is read from the status when somebody asks. */
export interface Meters {
  acted(kind: KindName, verb: Action['verb'], outcome: ActionResult['outcome']): void;
  /** Not everything of the kind was as wanted for that long; now it is. */
  healed(kind: KindName, seconds: number): void;
  /** A round trip to the store. */
  storeCalled(call: string, seconds: number, outcome: 'answered' | 'failed'): void;
}

/** All measurements in the text format of Prometheus. */
export interface Exposition {
  text(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** Listens for HTTP until `signal` aborts; resolves when it listens, rejects with SystemError. */
export type HttpListener = (
  at: { readonly address: Address; readonly port: number },
  signal: AbortSignal,
) => Promise<void>;

// ---- the daemon's socket ---------------------------------------------------------------------------------

export interface ControlRequest {
  readonly method: 'GET' | 'POST';
  /** `/status`, `/apply?timeoutMs=30000`. */
  readonly path: string;
}

export interface ControlReply {
  /** HTTP status. */
  readonly status: number;
  readonly body: string;
  /** Media type of the body; text for people when absent. */
  readonly contentType?: string;
}

/** Bytes on their way to a file or a reader, who may be slow. */
export interface ByteOutput {
  /** Resolves once all are written, one after the other; rejects with SystemError. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** HTTP over a unix socket: `curl --unix-socket /run/flannelette/flannel0.sock http://localhost/status`. */
export interface ControlSocket {
  /** Answers at `path` (0660, directory 0755) until `signal` aborts, also after it was removed; a left-over socket is replaced. Rejects with SystemError. */
  serve(
    path: string,
    answer: (request: ControlRequest) => Promise<ControlReply>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Undefined when nobody listens at `path`. Rejects with PrivilegeError when it is closed to us, with SystemError when the answer breaks off, and on abort. */
  ask(path: string, request: ControlRequest, signal: AbortSignal): Promise<ControlReply | undefined>;
}
