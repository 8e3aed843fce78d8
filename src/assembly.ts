/** The reconcilers of one instance over a set of ports, real or fake. Knows every reconciler and no implementation of a port. */
import { commandRecordPath } from './model/command-record.js';
import { type Config, DEFAULT_INSTANCE } from './model/config.js';
import { isDecided } from './model/desired.js';
import { linkAlias } from './model/mark.js';
import { cidrsOf } from './model/network.js';
import { forwardChain, masqueradeTable } from './model/traffic-rules.js';
import type { Clock, Commands, DataPlane, Files, Firewall, Netlink, Sysctls, Tuns } from './ports.js';
import { addressReconciler } from './reconcilers/address.js';
import { commandReconciler } from './reconcilers/command.js';
import { dockerBridgeReconciler } from './reconcilers/docker-bridge.js';
import { type DockerSettingsPlace, dockerSettingsReconciler } from './reconcilers/docker-settings.js';
import { fdbReconciler } from './reconcilers/fdb.js';
import { fileReconciler } from './reconcilers/file.js';
import { flannelRulesReconciler } from './reconcilers/flannel-rules.js';
import { forwardReconciler } from './reconcilers/forward.js';
import { forwarderReconciler } from './reconcilers/forwarder.js';
import { leaseReconciler } from './reconcilers/lease.js';
import { linkReconciler } from './reconcilers/link.js';
import { masqueradeReconciler } from './reconcilers/masquerade.js';
import { neighbourReconciler } from './reconcilers/neighbour.js';
import { networkConfigReconciler } from './reconcilers/network-config.js';
import { NetworkRecord } from './reconcilers/network-record.js';
import { peerReconciler } from './reconcilers/peer.js';
import { routeReconciler } from './reconcilers/route.js';
import type { Scope } from './reconcilers/scope.js';
import type { StoreAccess } from './reconcilers/store-access.js';
import { sysctlReconciler } from './reconcilers/sysctl.js';
import type { Inputs } from './runtime/inputs/inputs.js';
import type { Reconcilers } from './runtime/rounds/reconcilers.js';

/** What a host is made of, as far as we change it. */
export interface HostPorts {
  readonly netlink: Netlink;
  readonly tuns: Tuns;
  readonly sysctls: Sysctls;
  readonly firewall: Firewall;
  readonly files: Files;
  readonly commands: Commands;
  readonly clock: Clock;
}

/** All kinds; those of the packet loop only where there is one. */
export function reconcilersOf(
  { netlink, tuns, sysctls, firewall, files, commands, clock }: HostPorts,
  inputs: Inputs,
  access: StoreAccess,
  dataPlane?: DataPlane,
): Reconcilers {
  const { instance } = inputs.config;
  const alias = linkAlias(instance.name);
  const scope = () => scopeOf(inputs);
  // A boot empties it as it empties the kernel.
  const networkRecord = new NetworkRecord(
    files,
    `${instance.runtimeDirectory}/${instance.name}.networks.json`,
  );
  return {
    'network-config': networkConfigReconciler(
      access,
      files,
      () => ({
        publish: inputs.config.network.publish,
        recordPath: `${instance.stateDirectory}/${instance.name}/published.json`,
      }),
      () => publicIpsOf(inputs),
    ),
    lease: leaseReconciler(
      access,
      () => publicIpsOf(inputs),
      () => leaseTtlSeconds(inputs.config),
      () => inputs.formerPublicIps,
    ),
    command: commandReconciler(commands, files, clock, commandRecordPath(instance), () =>
      inputs.observeHost(),
    ),
    link: linkReconciler(
      netlink,
      tuns,
      sysctls,
      alias,
      scope,
      (name) => dataPlane?.forwarder()?.tun === name,
    ),
    sysctl: sysctlReconciler(sysctls, netlink),
    address: addressReconciler(netlink, alias, scope),
    ...(dataPlane && {
      forwarder: forwarderReconciler(dataPlane, netlink),
      peer: peerReconciler(dataPlane),
    }),
    fdb: fdbReconciler(netlink, alias, scope),
    neighbour: neighbourReconciler(netlink, alias, scope),
    route: routeReconciler(netlink, instance.routeProtocol, scope, networkRecord, clock),
    masquerade: masqueradeReconciler(firewall, masqueradeTable(instance.name)),
    forward: forwardReconciler(firewall, forwardChain(instance.name)),
    // flannel has one network on a host, and the usual instance succeeds it.
    ...(instance.name === DEFAULT_INSTANCE.name && { 'flannel-rules': flannelRulesReconciler(firewall) }),
    file: fileReconciler(files, () => ({
      paths: filesOf(inputs.config),
      recordPath: `${instance.stateDirectory}/${instance.name}/files.json`,
    })),
    'docker-settings': dockerSettingsReconciler(files, () => dockerSettingsPlace(inputs.config)),
    'docker-bridge': dockerBridgeReconciler(netlink, firewall, () => dockerOf(inputs)),
  };
}

/** While nothing can be decided, what is certain to be ours: the instance's own device. */
function scopeOf(inputs: Inputs): Scope {
  const state = inputs.state();
  const { instance, network } = inputs.config;
  return isDecided(state)
    ? state
    : { devices: [instance.name], networks: network.declared ? cidrsOf(network.declared) : [] };
}

/**
 * Which leases are this host's to change; none in a static list: that is the operator's, this host's own row in it too.
 * While nothing can be decided those with an address of its interface are: `destroy` gives them back all the same.
 */
function publicIpsOf(inputs: Inputs) {
  if (inputs.config.store.type !== 'etcd') return undefined;
  const state = inputs.state();
  return isDecided(state) ? state.publicIps : inputs.publicIps;
}

function leaseTtlSeconds({ store }: Config): number {
  return store.type === 'etcd' ? store.leaseTtlSeconds : 0;
}

/** With Docker left alone its options file may be anybody's. */
function filesOf({ files: { subnetEnv, dockerOptions }, docker }: Config): readonly string[] {
  return docker.mode === 'off' ? [subnetEnv] : [subnetEnv, dockerOptions];
}

function dockerSettingsPlace({ docker, files, instance }: Config): DockerSettingsPlace {
  return {
    path: docker.daemonJson,
    recordPath: `${instance.stateDirectory}/${instance.name}/daemon-json.json`,
    ...(docker.mode === 'options-file' && { flags: files.dockerOptions }),
  };
}

function dockerOf(inputs: Inputs) {
  const state = inputs.state();
  return isDecided(state) ? state.docker : undefined;
}
