/**
 * The heart of the control plane: from the file, the store and the host to every object that should exist.
 * `diff`, `apply` and `run` all call this, so they cannot disagree.
 */

import type { Family, Prefix } from './address.js';
import { BackendError, type BackendPlan } from './backends/backend.js';
import { backendPlan } from './backends/table.js';
import type { Config } from './config.js';
import { desiredDockerSettings, desiredEnvFiles } from './desired-files.js';
import { DesiredMemory } from './desired-memory.js';
import type { Desired } from './diff.js';
import { type DesiredDocker, desiredDocker } from './docker/desired-docker.js';
import type { HostFacts } from './host.js';
import { leaseKey, NETWORK_CONFIG_KEY, sysctlKey } from './keys.js';
import { isHeldBy, type Lease, type PublicIps, type Subnets } from './lease.js';
import { leaseMisfit } from './lease-misfit.js';
import { cidrsOf, familiesOf, type NetworkConfig } from './network.js';
import { effectiveNetwork, isRefusedByStore, networkOfOwnLease } from './network-in-use.js';
import type { DesiredObjects, KindName, SysctlState } from './objects.js';
import { leasesOfOthers, withHeld } from './other-leases.js';
import { isKept, ownSubnets } from './own-subnets.js';
import type { ResourceKey } from './plan.js';
import { conflictText, consentText, lostSubnets, type Renumbering, renumbering } from './renumbering.js';
import { leasesHeldBy, type StoreView } from './store-view.js';
import { desiredForward, desiredMasquerade, forwardChain, masqueradeTable } from './traffic-rules.js';

export interface DesiredInput {
  readonly config: Config;
  /** Undefined until the store was read once. */
  readonly store: StoreView | undefined;
  /** Undefined until the kernel was asked; an Error says why no interface could be chosen. */
  readonly host: HostFacts | Error | undefined;
  /** Whether this process runs the packet loop: a one-shot command leaves it to the daemon, and shows a plan before it is asked for. */
  readonly forwards: boolean;
  /** An operator has said yes to another subnet. */
  readonly allowsRenumbering?: boolean;
  /** The network that this host was last seen to be up in: it goes on in there while the store refuses the file's, or has none. */
  readonly networkInUse?: NetworkConfig | undefined;
}

/** Everything about this host that follows from the input. */
export interface DesiredState {
  readonly objects: DesiredObjects;
  readonly network: NetworkConfig;
  readonly subnets: Subnets;
  /** How the subnet was come by: `own lease`, `allocated`. */
  readonly subnetReason: string;
  readonly publicIps: PublicIps;
  readonly mtu: number;
  readonly devices: BackendPlan['devices'];
  /** Packets are carried by a loop in this program: without a daemon none are. */
  readonly hasPacketLoop: boolean;
  /** What a daemon wants of that loop: part of `objects` in the daemon alone. */
  readonly loop: Pick<DesiredObjects, 'forwarder' | 'peer'>;
  readonly networks: readonly Prefix[];
  /** Those that the file names: others than the ones in force while the store refuses them. */
  readonly declared: readonly Prefix[];
  /** Absent when Docker is left alone. */
  readonly docker?: DesiredDocker;
  readonly ignoredLeases: BackendPlan['ignored'];
  /** Present while the subnet that is planned is not yet the one in use. */
  readonly renumbering?: Renumbering;
  /** Another host holds the subnet in use: see Undecided. */
  readonly leaseConflict?: string;
}

/** What is missing before anything can be wanted; nothing is touched meanwhile. */
export interface Undecided {
  /** `store` and `host` are those that were not read yet, which is no trouble. */
  readonly waitsFor: 'store' | 'host' | 'network' | 'interface' | 'subnet' | 'renumbering' | 'backend';
  readonly reason: string;
  /** Another subnet is planned, and `host.renumber` does not cover it: an operator is to say yes. */
  readonly needsConsent?: true;
  /** Another host holds the subnet that this one has in use; in words. Then nothing may be forwarded into it, whatever else is missing. */
  readonly leaseConflict?: string;
}

/** What is wanted of one kind; undefined: nothing of it is touched. */
export function objectsOf<K extends KindName>(
  state: { readonly objects: DesiredObjects } | Undecided,
  kind: K,
): DesiredObjects[K] | undefined {
  if (isDecided(state)) return state.objects[kind];
  // Its rows go with the packet loop.
  return kind === 'forwarder' && state.leaseConflict !== undefined ? [] : undefined;
}

export function isDecided<T extends { readonly objects: DesiredObjects }>(state: T | Undecided): state is T {
  return 'objects' in state;
}

/** This host has its subnet already, as one that is up does. */
export function hasItsSubnet({ subnetReason }: DesiredState): boolean {
  return isKept(subnetReason);
}

/** `memory` is for whoever asks again and again: the result is the same, what did not change is not computed again. */
export function desiredState(
  { config, store, host, forwards, allowsRenumbering = false, networkInUse }: DesiredInput,
  memory = new DesiredMemory(),
): DesiredState | Undecided {
  if (store === undefined) return { waitsFor: 'store', reason: 'the store has not been read yet' };
  const effective = effectiveNetwork(config, store);
  // Whoever deletes or spoils the network's key in the store takes nobody's network away.
  const wanted = 'missing' in effective ? (networkInUse ?? effective) : effective;
  if ('missing' in wanted) return { waitsFor: 'network', reason: wanted.missing };
  if (host === undefined) return { waitsFor: 'host', reason: 'the interfaces have not been read yet' };
  if (host instanceof Error) return { waitsFor: 'interface', reason: host.message };

  const isRefused = isRefusedByStore(config, store);
  const network = isRefused ? (networkInUse ?? networkOfOwnLease(config, store, host) ?? wanted) : wanted;
  const publicIps = publicIpsOf(network, host);
  const planned = ownSubnets(config, network, store, host, publicIps);
  const keeps = 'subnets' in planned && isKept(planned.reason);
  const lost = keeps ? [] : lostSubnets(host.previousSubnets, leasesOfOthers(store, publicIps));
  const conflict = lost.length === 0 ? {} : { leaseConflict: lost.map(conflictText).join('; ') };
  if ('error' in planned) return { waitsFor: 'subnet', reason: planned.error, ...conflict };
  const { subnets, reason: subnetReason } = planned;
  const change =
    keeps || isRefused
      ? undefined
      : renumbering({
          network,
          previous: host.previousSubnets,
          planned: subnets,
          pinned: config.host.subnets,
          own: leasesHeldBy(store, publicIps),
          lost,
          rule: config.host.renumber,
        });
  if (change?.needsConsent && forwards && !allowsRenumbering)
    return {
      waitsFor: 'renumbering',
      reason: consentText(change),
      needsConsent: true,
      ...conflict,
    };

  const isServed = config.store.type === 'etcd';
  const requires: readonly ResourceKey[] = isServed ? [leaseKey(subnets)] : [];
  let backend: BackendPlan;
  try {
    backend = backendPlan({
      network,
      isDeclared: config.network.declared !== undefined,
      subnets,
      leases: withHeld(
        memory.others.listOf(store.leases, { publicIps, network }, (lease) =>
          isHeldBy(publicIps, lease) || leaseMisfit(lease, network) !== undefined ? undefined : lease,
        ),
        store,
        publicIps,
      ),
      ...ownLeaseIn(store, publicIps),
      host,
      mtu: config.network.mtu,
      dataplane: config.dataplane,
      instance: config.instance.name,
      requires,
      memory: memory.backend,
    });
  } catch (error) {
    if (error instanceof BackendError) return { waitsFor: 'backend', reason: error.message, ...conflict };
    throw error;
  }
  const { mtu, devices, objects } = backend;
  const loop = { forwarder: objects.forwarder ?? [], peer: objects.peer ?? [] };
  const declared = config.network.declared;
  const networks = cidrsOf(network);
  const lease = { subnets, attributes: { publicIps, ...backend.lease } };
  const docker = desiredDocker(config, subnets, backend);
  // Where the device is somebody else's, the files that speak of it are, too.
  const besideOurDevice = [...requires, ...(objects.link ?? []).map(({ key }) => key)];

  return {
    network,
    subnets,
    subnetReason,
    publicIps,
    mtu,
    devices,
    hasPacketLoop: objects.forwarder !== undefined,
    loop,
    networks,
    declared: declared === undefined ? [] : cidrsOf(declared),
    ...(docker && { docker }),
    ignoredLeases: backend.ignored,
    ...(change && { renumbering: change }),
    ...conflict,
    objects: {
      'network-config':
        isServed && declared !== undefined ? [{ key: NETWORK_CONFIG_KEY, state: { config: declared } }] : [],
      lease: isServed
        ? [
            {
              key: leaseKey(subnets),
              state: lease,
              requires: [
                ...(declared === undefined ? [] : [NETWORK_CONFIG_KEY]),
                ...(backend.leaseRequires ?? []),
              ],
            },
          ]
        : [],
      command: objects.command ?? [],
      link: objects.link ?? [],
      sysctl: [
        ...forwardingSysctls(network, host).map((state) => ({
          key: sysctlKey(state.name),
          state,
          requires,
        })),
        ...(objects.sysctl ?? []),
      ],
      address: objects.address ?? [],
      forwarder: forwards ? loop.forwarder : [],
      peer: forwards ? loop.peer : [],
      fdb: objects.fdb ?? [],
      neighbour: objects.neighbour ?? [],
      route: objects.route ?? [],
      masquerade: config.network.ipMasq
        ? required(requires, desiredMasquerade(masqueradeTable(config.instance.name), network, subnets))
        : [],
      forward: required(requires, desiredForward(forwardChain(config.instance.name), network)),
      'flannel-rules': [],
      file: desiredEnvFiles(config, network, subnets, mtu, besideOurDevice),
      'docker-settings': desiredDockerSettings(config, docker, besideOurDevice),
      'docker-bridge': [],
    },
  };
}

/** flannel leaves this to Docker; without it nothing is routed between containers and the backend's device. */
function forwardingSysctls(network: NetworkConfig, host: HostFacts): readonly SysctlState[] {
  const { external, takesRouterAdvertisements } = host;
  return [
    ...familiesOf(network).map((family) => ({ name: FORWARDING_SYSCTL[family], value: '1' })),
    // A host that forwards takes no advertisement of a router's, unless told to (ip-sysctl.rst, accept_ra): its default
    // route and its address would be gone soon after.
    ...(network.ipv6 && takesRouterAdvertisements
      ? [{ name: `net.ipv6.conf.${external.name.replaceAll('.', '/')}.accept_ra`, value: '2' }]
      : []),
  ];
}

const FORWARDING_SYSCTL = {
  ipv4: 'net.ipv4.ip_forward',
  ipv6: 'net.ipv6.conf.all.forwarding',
} as const satisfies Record<Family, string>;

/** Only the families that the network has: flannel publishes no IPv6 address in an IPv4 network. */
function publicIpsOf(network: NetworkConfig, { publicIps: { ipv4, ipv6 } }: HostFacts): PublicIps {
  return { ...(network.ipv4 && ipv4 && { ipv4 }), ...(network.ipv6 && ipv6 && { ipv6 }) };
}

function ownLeaseIn(store: StoreView, own: PublicIps): { readonly ownLease?: Lease } {
  const [ownLease] = leasesHeldBy(store, own);
  return ownLease === undefined ? {} : { ownLease };
}

function required<State>(
  requires: readonly ResourceKey[],
  desired: readonly Desired<State>[],
): readonly Desired<State>[] {
  return desired.map((object) => ({ ...object, requires: [...(object.requires ?? []), ...requires] }));
}
