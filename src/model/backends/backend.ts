/** What a backend is: its options, and one pure function from the network and its leases to the objects that carry its packets. */
import type { Address, Family, Prefix } from '../address.js';
import type { DataplaneSection } from '../config.js';
import { DerivedList } from '../derived-list.js';
import type { HostFacts } from '../host.js';
import type { JsonValue, Lease, LeaseAttributes, Subnets } from '../lease.js';
import type { FamilyNetwork, NetworkConfig } from '../network.js';
import type { DesiredObjects } from '../objects.js';
import type { ResourceKey } from '../plan.js';
import { printable } from '../printable.js';
import type { Options, ValuesOf } from './options.js';

/** `Values` are the network's options of this backend, defaults applied. */
export interface BackendInput<Values = unknown> {
  readonly network: Pick<NetworkConfig, Family>;
  readonly options: Values;
  readonly subnets: Subnets;
  /** The other hosts' leases that can be trusted, whatever their backend. */
  readonly leases: readonly Lease[];
  /** This host's lease as it stands in the store: what the others know of it. */
  readonly ownLease?: Lease;
  readonly host: HostFacts;
  /** Bytes, where the operator has said what containers may send. */
  readonly mtu: 'auto' | number;
  readonly dataplane: DataplaneSection;
  /** Names the device of a backend that has one for each instance. */
  readonly instance: string;
  /** What must be in place before anything is put on the host: the lease, where there is a server. */
  readonly requires: readonly ResourceKey[];
  /** What was made of each lease the last time, for whoever asks again and again. */
  readonly memory?: PeersMemory;
}

/** A list that is made of the other hosts' leases, one item of each at most, by its name. */
export class PeersMemory {
  readonly #lists = new Map<string, DerivedList<Lease, unknown>>();

  /** The same as `leases` through `make`, undefined left out; what `make` uses beside the lease is in `context`, plain JSON. */
  listOf<Out>(
    name: string,
    leases: readonly Lease[],
    context: unknown,
    make: (lease: Lease) => Out | undefined,
  ): readonly Out[] {
    const list = this.#lists.get(name) ?? new DerivedList<Lease, unknown>(keyIn);
    this.#lists.set(name, list);
    return list.listOf(leases, context, make) as readonly Out[];
  }
}

/** An object goes by its own key. */
function keyIn(made: unknown): string | undefined {
  const hasKey = typeof made === 'object' && made !== null && 'key' in made;
  return hasKey && typeof made.key === 'string' ? made.key : undefined;
}

/** What a backend decides about this host. */
export interface BackendPlan {
  /** Bytes: what containers may send; FLANNEL_MTU. */
  readonly mtu: number;
  /** Published in our lease. */
  readonly lease: Pick<LeaseAttributes, 'backendType' | 'backendData' | 'backendV6Data'>;
  /** What must be in place before the lease is taken. */
  readonly leaseRequires?: readonly ResourceKey[];
  readonly objects: BackendObjects;
  /** Devices that belong to this network: addresses on them inside the network, and routes over them, are ours. */
  readonly devices: readonly string[];
  /** Where packets of other hosts' containers come in. */
  readonly entrances: readonly string[];
  /** Leases that were left out, with the reason. */
  readonly ignored: readonly IgnoredLease[];
}

export type BackendObjects = Partial<
  Pick<
    DesiredObjects,
    'command' | 'link' | 'sysctl' | 'address' | 'forwarder' | 'peer' | 'neighbour' | 'fdb' | 'route'
  >
>;

/** The objects of several parts, kind by kind. A list that has nothing added stays the very same. */
export function joined(parts: readonly BackendObjects[]): BackendObjects {
  const all = new Map<string, readonly unknown[]>();
  for (const [kind, objects] of parts.flatMap((part) => Object.entries(part))) {
    const before = all.get(kind) ?? [];
    all.set(kind, before.length === 0 ? objects : [...before, ...objects]);
  }
  return Object.fromEntries(all);
}

export interface IgnoredLease {
  readonly subnet: Prefix | undefined;
  readonly reason: string;
}

export interface Backend<O extends Options = Options> {
  /** flannel's name of it, in lower case. */
  readonly type: string;
  /** A network with IPv6 cannot have it. */
  readonly ipv4Only?: true;
  /** Its options are commands: they are run for a network that this host's own file declares, and for no other. */
  readonly runsCommands?: true;
  readonly options: O;
  /** Throws BackendError when this host or network cannot run the backend. */
  plan(input: BackendInput<ValuesOf<O>>): BackendPlan;
}

export class BackendError extends Error {
  override readonly name = 'BackendError';
}

/** One address family of the network on this host; a backend makes its objects family by family. */
export interface FamilyPart {
  readonly family: Family;
  readonly network: FamilyNetwork;
  /** This host's. */
  readonly subnet: Prefix;
  /** Where the other hosts send to. */
  readonly publicIp: Address;
  /** The external interface's own, which a NAT may stand before. */
  readonly interfaceAddress: Address;
}

/** The families that the network has. Throws BackendError when the interface lacks an address of one. */
export function familyParts(type: string, input: BackendInput): readonly FamilyPart[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => familyPart(type, input, family) ?? []);
}

/** Undefined when the network has no such family. Throws BackendError when the interface lacks an address of it. */
export function familyPart(
  type: string,
  { network: networks, subnets, host }: BackendInput,
  family: Family,
): FamilyPart | undefined {
  const [network, subnet] = [networks[family], subnets[family]];
  if (network === undefined || subnet === undefined) return undefined;
  const [publicIp, interfaceAddress] = [host.publicIps[family], host.external[family]];
  if (publicIp === undefined || interfaceAddress === undefined) {
    throw new BackendError(
      `Cannot run backend ${type}: interface ${host.external.name} has no ${FAMILY_NAMES[family]} address`,
    );
  }
  return { family, network, subnet, publicIp, interfaceAddress };
}

const FAMILY_NAMES = { ipv4: 'IPv4', ipv6: 'IPv6' } as const satisfies Record<Family, string>;

/** Another host, as one family sees it. */
export interface FamilyPeer {
  readonly subnet: Prefix;
  readonly publicIp: Address;
  /** What its backend publishes for this family. */
  readonly data?: JsonValue;
}

/**
 * One object for each host that runs the same backend, undefined left out. `context` is what `make` uses beside the
 * peer, plain JSON. `name` tells one list from another.
 */
export function ofPeers<Out>(
  { leases, memory = new PeersMemory() }: Pick<BackendInput, 'leases' | 'memory'>,
  { name, family, backend, context }: PeerList,
  make: (peer: FamilyPeer) => Out | undefined,
): readonly Out[] {
  return memory.listOf(`${family} ${name}`, leases, { backend, context }, (lease) => {
    const peer = familyPeer(lease, family, backend);
    return 'reason' in peer ? undefined : make(peer);
  });
}

export interface PeerList {
  readonly name: string;
  readonly family: Family;
  readonly backend: {
    readonly type: string;
    /** What stands in the leases of the backend's hosts, empty for udp and alloc. */
    readonly published: string;
    /** Whose field of the lease holds the data of both families. Default: each has its own. */
    readonly dataOf?: Family;
  };
  readonly context: unknown;
}

/**
 * The leases of hosts that cannot be sent to, with the reason: flannel's udp and alloc take every lease, but what is sent
 * to a host of another backend is lost. `why` judges the hosts of the same backend.
 */
export function ignoredPeers(
  { leases, memory = new PeersMemory() }: Pick<BackendInput, 'leases' | 'memory'>,
  { name, family, backend, context }: PeerList,
  why: (peer: FamilyPeer) => string | undefined = () => undefined,
): readonly IgnoredLease[] {
  return memory.listOf(`${family} ${name}`, leases, { backend, context }, (lease) => {
    const peer = familyPeer(lease, family, backend);
    if ('reason' in peer) return peer;
    const reason = why(peer);
    return reason === undefined ? undefined : { subnet: peer.subnet, reason };
  });
}

function familyPeer(
  { subnets, attributes }: Lease,
  family: Family,
  { type, published, dataOf = family }: PeerList['backend'],
): FamilyPeer | IgnoredLease {
  const [subnet, publicIp] = [subnets[family], attributes.publicIps[family]];
  if (attributes.backendType !== published) {
    const theirs = attributes.backendType === '' ? 'udp or alloc' : printable(attributes.backendType);
    return {
      subnet: subnet ?? subnets.ipv4 ?? subnets.ipv6,
      reason: `backend ${theirs}, ours is ${type}`,
    };
  }
  if (subnet === undefined || publicIp === undefined)
    return { subnet, reason: `no ${FAMILY_NAMES[family]} part` };
  const data = dataOf === 'ipv4' ? attributes.backendData : attributes.backendV6Data;
  return { subnet, publicIp, ...(data !== undefined && { data }) };
}
