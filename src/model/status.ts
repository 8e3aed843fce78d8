/** What the operator is told about each object and about the whole. Pure data, made from rounds. */
import type { Overall } from './overall.js';
import type { ActionResult, Plan, ResourceKey } from './plan.js';
import type { TrialStanding } from './trial.js';

/**
 * `in-sync`: as wanted. `pending`: will be changed. `waiting`: needs another object first. `failed`: tried
 * without success, will be tried again. `contested`: somebody undoes it again and again, so it is tried less often.
 * `conflict`: something foreign has its place. `foreign`: not ours and not in the way.
 */
export type ObjectState = 'in-sync' | 'pending' | 'waiting' | 'failed' | 'contested' | 'conflict' | 'foreign';

export interface ObjectStatus {
  readonly key: ResourceKey;
  readonly state: ObjectState;
  /** Empty when in sync. */
  readonly reason: string;
}

/** The states of all objects of one kind after a round: what its second observation says. */
export function objectStatuses(
  desiredKeys: readonly ResourceKey[],
  remaining: Plan,
  results: readonly ActionResult[],
): readonly ObjectStatus[] {
  const statuses = new Map<ResourceKey, ObjectStatus>();
  for (const key of desiredKeys) statuses.set(key, { key, state: 'in-sync', reason: '' });
  for (const { key, reason, blocks } of remaining.foreign) {
    statuses.set(key, { key, state: blocks ? 'conflict' : 'foreign', reason });
  }
  const outcomes = new Map(results.map((result) => [result.key, result]));
  for (const action of remaining.actions) {
    const { key, verb, reason, requires } = action;
    const result = outcomes.get(key);
    if (result?.outcome === 'failed') {
      statuses.set(key, {
        key,
        state: 'failed',
        reason: `${verb}: ${result.error?.message ?? 'no reason given'}`,
      });
    } else if (result?.outcome === 'waiting') {
      statuses.set(key, { key, state: 'waiting', reason: `${verb} needs ${requires.join(', ')}` });
    } else if (result?.outcome === 'held') {
      statuses.set(key, {
        key,
        state: 'contested',
        reason: `${verb}: ${reason}, again and again: ${contested(key)}`,
      });
    } else statuses.set(key, { key, state: 'pending', reason: `${verb}: ${reason}` });
  }
  return [...statuses.values()];
}

/** Who may do that to routes is known. */
function contested(key: ResourceKey): string {
  const suspect = key.startsWith('route:') ? ' (systemd-networkd does with ManageForeignRoutes=yes)' : '';
  return `somebody undoes it${suspect}; \`apply\` tries at once`;
}

/** Keys that others may count on: wanted, there, and nothing foreign in their place. */
export function presentKeys(desiredKeys: readonly ResourceKey[], remaining: Plan): readonly ResourceKey[] {
  const missing = new Set<ResourceKey>();
  for (const { key, verb } of remaining.actions) if (verb === 'create') missing.add(key);
  for (const { key, blocks } of remaining.foreign) if (blocks) missing.add(key);
  return desiredKeys.filter((key) => !missing.has(key));
}

/** What `flannelette status` shows; times are RFC 3339 in UTC. */
export interface StatusReport {
  readonly version: string;
  readonly instance: string;
  readonly pid: number;
  readonly startedAt: string;
  /** Everything is as wanted and packets can flow. */
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reason: string;
  /** Whether everything is as wanted. */
  readonly sync: Overall['sync'] & { readonly since: string };
  /** Whether it works: another thing. */
  readonly health: Overall['health'] & { readonly since: string };
  readonly config: { readonly path: string; readonly loadedAt: string; readonly error?: string };
  /** The troubles that hold now: see model/conditions.ts. */
  readonly conditions: readonly { readonly type: string; readonly message: string; readonly since: string }[];
  /** A change that is taken back unless somebody confirms it. */
  readonly trial?: TrialStanding;
  readonly store: {
    readonly description: string;
    readonly status: string;
    readonly since: string;
    readonly error?: string;
  };
  /** Absent while it cannot be told yet; `reason` says what it waits for. */
  readonly network?: NetworkStatus;
  readonly lease?: { readonly etcdLease: string; readonly expiresAt?: string };
  readonly objects: readonly (ObjectStatus & {
    readonly kind: string;
    readonly since: string;
    /** When it is looked at again, where it is not as wanted; a change of the world comes before. */
    readonly nextTryAt?: string;
  })[];
  readonly peers: readonly PeerStatus[];
  readonly traffic: TrafficStatus;
  /** Things that need no action of ours but that somebody may want to know. */
  readonly notes: readonly string[];
}

export interface NetworkStatus {
  readonly cidrs: readonly string[];
  readonly backend: string;
  readonly subnets: readonly string[];
  readonly subnetReason: string;
  readonly publicIps: readonly string[];
  /** Bytes. */
  readonly mtu: number;
}

export interface PeerStatus {
  readonly subnet: string;
  readonly publicIp: string;
  /** Where the kernel carries the packets, nobody counts those of one peer. */
  readonly sentPackets?: number;
  readonly sentBytes?: number;
  readonly receivedPackets?: number;
  readonly receivedBytes?: number;
  readonly drops?: number;
  readonly lastReceivedAt?: string;
}

export interface TrafficStatus {
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  /** Reason → packets; reasons without packets are left out. */
  readonly drops: Readonly<Record<string, number>>;
  /** What the kernel does for many packets at once → whether it does. */
  readonly offloads: Readonly<Record<string, boolean>>;
}
