/** What a backend is: one pure function from the network and its leases to the objects that carry its packets. */
import type { Prefix } from '../address.js';
import type { DataplaneSection } from '../config.js';
import { DerivedList } from '../derived-list.js';
import type { Desired } from '../diff.js';
import type { HostFacts } from '../host.js';
import type { Lease, LeaseAttributes, Subnets } from '../lease.js';
import type { BackendConfig, NetworkConfig } from '../network.js';
import type { DesiredObjects, PeerState } from '../objects.js';
import type { ResourceKey } from '../plan.js';

export interface BackendInput<C extends BackendConfig = BackendConfig> {
  readonly network: NetworkConfig & { readonly backend: C };
  readonly subnets: Subnets;
  /** The other hosts' leases that can be trusted, whatever their backend. */
  readonly leases: readonly Lease[];
  readonly host: HostFacts;
  readonly mtu: 'auto' | number;
  readonly dataplane: DataplaneSection;
  /** Names the device. */
  readonly instance: string;
  /** What must be in place before anything is put on the host: the lease, where there is a server. */
  readonly requires: readonly ResourceKey[];
  /** What was made of each lease the last time, for whoever asks again and again. */
  readonly memory?: PeersMemory;
}

/** For a backend that makes one row of each lease. */
export class PeersMemory {
  readonly peers = new DerivedList<Lease, Desired<PeerState>>();
  readonly ignored = new DerivedList<Lease, IgnoredLease>();
}

export interface IgnoredLease {
  readonly subnet: Prefix | undefined;
  readonly reason: string;
}

/** What a backend decides about this host. */
export interface BackendPlan {
  /** Bytes: what containers may send; FLANNEL_MTU. */
  readonly mtu: number;
  /** Published in our lease. */
  readonly lease: Pick<LeaseAttributes, 'backendType' | 'backendData' | 'backendV6Data'>;
  readonly objects: Partial<
    Pick<DesiredObjects, 'link' | 'sysctl' | 'address' | 'forwarder' | 'peer' | 'route'>
  >;
  /** Devices that belong to this network: addresses on them inside the network, and routes over them, are ours. */
  readonly devices: readonly string[];
  /** Leases that were left out, with the reason. */
  readonly ignored: readonly IgnoredLease[];
}

/** Throws BackendError when this host or network cannot run the backend. */
export type Backend<C extends BackendConfig = BackendConfig> = (input: BackendInput<C>) => BackendPlan;

export class BackendError extends Error {
  override readonly name = 'BackendError';
}
