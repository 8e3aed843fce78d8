/** Gathers what the daemon knows into the report that `status` shows. */
import { isDecided } from '../../model/desired.js';
import { isSameHost } from '../../model/lease.js';
import { familiesOf } from '../../model/network.js';
import type { NetworkStatus, PeerStatus, StatusReport } from '../../model/status.js';
import type { DataPlane, PeerCounters } from '../../ports.js';
import type { Inputs } from '../inputs/inputs.js';
import type { DatedStatus } from '../rounds/control-loops.js';
import type { StoreFollower } from '../store/store-follower.js';
import type { Daemon } from './daemon.js';

export interface StatusSources {
  readonly version: string;
  readonly pid: number;
  readonly daemon: Daemon;
  readonly inputs: Inputs;
  readonly store: StoreFollower;
  readonly dataPlane: DataPlane;
}

export function statusReport({
  version,
  pid,
  daemon,
  inputs,
  store,
  dataPlane,
}: StatusSources): StatusReport {
  const { path, loadedAt, error } = daemon.config;
  const { sync, health } = daemon.overall();
  const network = networkStatus(inputs);
  const term = daemon.leaseTerm();
  const trial = daemon.trial();
  const { sent, received, drops } = dataPlane.counters();
  return {
    version,
    instance: inputs.config.instance.name,
    pid,
    startedAt: dateText(daemon.startedAt),
    ready: daemon.isReady,
    reason: daemon.isReady ? '' : notReadyReason(daemon, inputs),
    sync: { ...sync, since: dateText(sync.since) },
    health: { ...health, since: dateText(health.since) },
    config: { path, loadedAt: dateText(loadedAt), ...(error === undefined ? {} : { error }) },
    conditions: daemon.conditions().map((condition) => ({ ...condition, since: dateText(condition.since) })),
    ...(trial && { trial }),
    store: storeStatus(store),
    ...(network && { network }),
    ...(term && {
      lease: {
        etcdLease: term.etcdLease,
        ...(term.expiresAt === undefined ? {} : { expiresAt: dateText(term.expiresAt) }),
      },
    }),
    objects: daemon.loops.objects().map(objectReport),
    peers: peersOfKernel(inputs, store) ?? peersOfLoop(dataPlane),
    traffic: {
      sentPackets: sent.packets,
      sentBytes: sent.bytes,
      receivedPackets: received.packets,
      receivedBytes: received.bytes,
      drops: Object.fromEntries(Object.entries(drops).filter(([, packets]) => packets > 0)),
      offloads: { ...dataPlane.offloads() },
    },
    notes: [...notes(inputs, store), ...dataPlane.refusals()],
  };
}

export function objectReport({ since, nextTryAt, ...object }: DatedStatus): StatusReport['objects'][number] {
  const again = nextTryAt === undefined ? {} : { nextTryAt: dateText(nextTryAt) };
  return { ...object, since: dateText(since), ...again };
}

/** How things stand in one line. */
export function statusLine({
  daemon,
  inputs,
  store,
}: Pick<StatusSources, 'daemon' | 'inputs' | 'store'>): string {
  const network = networkStatus(inputs);
  const { description, status, error: storeError } = storeStatus(store);
  const { error: configError } = daemon.config;
  return [
    daemon.isReady && network
      ? `ready: ${network.subnets.join(' ')} by ${network.backend}, MTU ${network.mtu}`
      : `not ready: ${notReadyReason(daemon, inputs)}`,
    ...(status === 'live' ? [] : [`${description} is ${status}${storeError ? `: ${storeError}` : ''}`]),
    ...(configError === undefined ? [] : [`configuration kept: ${configError}`]),
  ].join('; ');
}

/** The first thing that stands between now and ready. */
function notReadyReason(daemon: Daemon, inputs: Inputs): string {
  const state = inputs.state();
  if (!isDecided(state)) return state.reason;
  for (const { key, state: objectState, reason } of daemon.loops.troubles()) {
    if (objectState !== 'foreign') return `${key} ${objectState}: ${reason}`;
  }
  return 'not everything was looked at yet';
}

function storeStatus(store: StoreFollower): StatusReport['store'] {
  const { status, since, error } = store.state;
  return {
    description: store.store.description,
    status,
    since: dateText(since),
    ...(error === undefined ? {} : { error: error.message }),
  };
}

function networkStatus(inputs: Inputs): NetworkStatus | undefined {
  const state = inputs.state();
  if (!isDecided(state)) return undefined;
  const { networks, network, subnets, subnetReason, publicIps, mtu } = state;
  return {
    cidrs: networks,
    backend: network.backend.type,
    subnets: [subnets.ipv4, subnets.ipv6].filter((subnet) => subnet !== undefined),
    subnetReason,
    publicIps: [publicIps.ipv4, publicIps.ipv6].filter((address) => address !== undefined),
    mtu,
  };
}

/** The other hosts by their leases, where the kernel carries the packets; undefined where the packet loop does. */
function peersOfKernel(inputs: Inputs, store: StoreFollower): readonly PeerStatus[] | undefined {
  const state = inputs.state();
  if (!isDecided(state) || state.hasPacketLoop) return undefined;
  const ignored = new Set(state.ignoredLeases.map(({ subnet }) => subnet));
  return (store.view()?.leases ?? [])
    .filter(({ attributes }) => !isSameHost(attributes.publicIps, state.publicIps))
    .flatMap(({ subnets, attributes: { publicIps } }) =>
      familiesOf(state.network).flatMap((family) => {
        const [subnet, publicIp] = [subnets[family], publicIps[family]];
        const isPeer = subnet !== undefined && publicIp !== undefined && !ignored.has(subnet);
        return isPeer ? [{ subnet, publicIp }] : [];
      }),
    );
}

function peersOfLoop(dataPlane: DataPlane): readonly PeerStatus[] {
  const counters = new Map(dataPlane.counters().peers.map((peer) => [peer.subnet, peer]));
  return dataPlane.peers().map(({ subnet, publicIp }) => {
    const { lastReceivedAt, subnet: _, ...counted } = counters.get(subnet) ?? NOTHING_COUNTED;
    const heard = lastReceivedAt === undefined ? {} : { lastReceivedAt: dateText(lastReceivedAt) };
    return { subnet, publicIp, ...counted, ...heard };
  });
}

const NOTHING_COUNTED: Partial<PeerCounters> = {
  sentPackets: 0,
  sentBytes: 0,
  receivedPackets: 0,
  receivedBytes: 0,
  drops: 0,
};

function notes(inputs: Inputs, store: StoreFollower): readonly string[] {
  const state = inputs.state();
  const quarantined = (store.view()?.quarantined ?? []).map(
    ({ key, reason }) => `lease ${JSON.stringify(key)} is set aside: ${reason}`,
  );
  const ignored = isDecided(state)
    ? state.ignoredLeases.map(
        ({ subnet, reason }) => `lease of ${subnet ?? 'another family'} is ignored: ${reason}`,
      )
    : [];
  return [...quarantined, ...ignored];
}

/** RFC 3339, UTC, milliseconds. */
export function dateText(ms: number): string {
  return new Date(ms).toISOString();
}
