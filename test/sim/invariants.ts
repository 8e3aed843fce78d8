/**
 * What must hold whatever happens, each a pure function of what is to be seen: it returns one sentence for each breach.
 * fleet.ts shows them the world after every step.
 */
import type { HeldSubnet } from './expected-host.js';

/** A host as far as its packets go. */
export interface ForwardingHost {
  readonly name: string;
  /** Addresses that its kernel has now. */
  readonly addresses: readonly string[];
  /** Those, and the ones that it had before: leases with them are its own. */
  readonly everyAddress: readonly string[];
  /** What its packet loop takes for its own; undefined when the loop does not run. */
  readonly subnet: string | undefined;
  /** Subnet → the address that packets to it are sent to. */
  readonly peers: ReadonlyMap<string, string>;
  /** Since when it can know what stands in etcd: runs, goes on, and has an open line. Undefined while it cannot. */
  readonly informedSinceMs: number | undefined;
}

/** Who holds a subnet by etcd, and since when. */
export interface Ownership {
  readonly publicIp: string;
  readonly sinceMs: number;
}

/** In this time a host that can know of a change has acted on it, whatever back-off it was in. */
const KNOWLEDGE_GRACE_MS = 30_000;

/** I1: no packet is ever delivered to a peer that does not own its inner destination. */
export function deliveredToOwnersOnly(
  hosts: readonly ForwardingHost[],
  owners: ReadonlyMap<string, Ownership>,
  nowMs: number,
): readonly string[] {
  return hosts.flatMap((sender) =>
    [...sender.peers].flatMap(([subnet, address]) => {
      const receiver = hosts.find((host) => host.subnet === subnet && host.addresses.includes(address));
      if (receiver === undefined || isExcused(receiver, owners.get(subnet), nowMs)) return [];
      return [
        `I1: ${sender.name} sends packets for ${subnet} to ${receiver.name}, which takes them; the owner is ${owners.get(subnet)?.publicIp}`,
      ];
    }),
  );
}

/** I3: two live nodes never both forward for the same subnet for longer than the lease grace. */
export function oneForwarderPerSubnet(
  hosts: readonly ForwardingHost[],
  owners: ReadonlyMap<string, Ownership>,
  nowMs: number,
): readonly string[] {
  return hosts.flatMap((left, index) =>
    hosts.slice(index + 1).flatMap((right) => {
      const { subnet } = left;
      if (subnet === undefined || right.subnet !== subnet) return [];
      const owner = owners.get(subnet);
      if (isExcused(left, owner, nowMs) && isExcused(right, owner, nowMs)) return [];
      return [`I3: ${left.name} and ${right.name} both forward for ${subnet}`];
    }),
  );
}

/** I3 for a host outside the simulation: whoever holds a subnet by etcd forwards for it. */
export function forwardsForItsOwn(
  hosts: readonly ForwardingHost[],
  owners: ReadonlyMap<string, Ownership>,
  nowMs: number,
): readonly string[] {
  return hosts.flatMap((host) => {
    const owner = host.subnet === undefined ? undefined : owners.get(host.subnet);
    if (isExcused({ ...host, addresses: host.everyAddress }, owner, nowMs)) return [];
    return [`I3: ${host.name} forwards for ${host.subnet}; the owner is ${owner?.publicIp}`];
  });
}

/** It owns the subnet, nobody else does, or it cannot have known for long that somebody else does. */
function isExcused(host: ForwardingHost, owner: Ownership | undefined, nowMs: number): boolean {
  if (owner === undefined || host.addresses.includes(owner.publicIp)) return true;
  if (host.informedSinceMs === undefined) return true;
  return nowMs - Math.max(host.informedSinceMs, owner.sinceMs) <= KNOWLEDGE_GRACE_MS;
}

/** I2: no foreign route, link, rule, file or key is changed or removed. */
export function foreignKept(host: string, was: readonly string[], is: readonly string[]): readonly string[] {
  const now = new Set(is);
  return was.filter((line) => !now.has(line)).map((line) => `I2: ${host} lost what is not ours: ${line}`);
}

/** I2, for keys: a host writes the network where there is none, and leases that are free or its own. */
export function keyWasFreeOrOwn(
  host: string,
  ownAddresses: readonly string[],
  write: string,
  before: string | undefined,
): readonly string[] {
  if (before === undefined) return [];
  const isOwn = ownAddresses.some((address) => before.includes(`"PublicIP":"${address}"`));
  return isOwn ? [] : [`I2: ${host} wrote over what is not its own, "${before}": ${write}`];
}

/** I4: files others read are either absent or complete and parse; never half. */
export function filesWhole(host: string, subnetEnv: string | undefined): readonly string[] {
  if (subnetEnv === undefined) return [];
  const isWhole =
    /^FLANNEL_NETWORK=\S+\/\d+\nFLANNEL_SUBNET=\S+\/\d+\nFLANNEL_MTU=\d+\nFLANNEL_IPMASQ=(true|false)\n$/.test(
      subnetEnv,
    );
  return isWhole ? [] : [`I4: ${host} wrote half a subnet.env: ${JSON.stringify(subnetEnv)}`];
}

/** What etcd has held of a peer, for I5. */
export interface PeerHistory {
  /** When etcd last did not hold it, since the host took the peer up. */
  readonly absentAtMs: number | undefined;
  /** When etcd was wiped or restored and did not have it any more, which the host has seen it have. */
  readonly lostMs: number | undefined;
}

/** I5: control-plane loss never removes a working peer before its lease has expired by etcd's clock, confirmed by a read. */
export function removedOnlyWhenGone(
  host: string,
  removed: ReadonlyMap<string, string>,
  historyOf: (subnet: string, publicIp: string) => PeerHistory,
): readonly string[] {
  return [...removed].flatMap(([subnet, publicIp]) =>
    historyOf(subnet, publicIp).absentAtMs === undefined
      ? [`I5: ${host} removed peer ${subnet} at ${publicIp}, whose lease etcd held all the time`]
      : [],
  );
}

/** How long peers are kept that went with the store's former content: less than what the program is told (GRACE_MS). */
const KEPT_MS = 9_000;

/** E11: whom another history of the store does not have is kept for a while, so that it can take its lease again. */
export function keptThroughNewHistory(
  host: string,
  removed: ReadonlyMap<string, string>,
  historyOf: (subnet: string, publicIp: string) => PeerHistory,
  nowMs: number,
): readonly string[] {
  return [...removed].flatMap(([subnet, publicIp]) => {
    const { lostMs } = historyOf(subnet, publicIp);
    return lostMs === undefined || nowMs - lostMs >= KEPT_MS
      ? []
      : [`E11: ${host} removed peer ${subnet} at ${publicIp} ${nowMs - lostMs} ms after etcd lost it`];
  });
}

/** What a refresh may come late. */
const REFRESH_GRACE_MS = 60_000;

/** E5: keep-alive at 1/3 of the TTL. `dueInMs` has, for each lease that is in use, the milliseconds until then. */
export function refreshedInTime(dueInMs: readonly number[]): readonly string[] {
  return dueInMs
    .filter((ms) => ms < -REFRESH_GRACE_MS)
    .map((ms) => `E5: a lease should have been refreshed ${Math.round(-ms / 1000)} s ago`);
}

/** I6: the daemon never exits 0 unless asked to stop; every exit carries a code and a reason. */
export function neverEndsUnasked(
  host: string,
  end: { readonly error?: unknown } | undefined,
): readonly string[] {
  if (end === undefined) return [];
  return [
    `I6: the daemon of ${host} ended unasked: ${'error' in end ? String(end.error) : 'without a reason'}`,
  ];
}

const MOST_LOG_LINES = 60;

/** I7: log rate is bounded (<= 60 lines/min/loop in any fault, repeats folded) and disk use is bounded. */
export function logBounded(host: string, loop: string, linesInMinute: number): readonly string[] {
  return linesInMinute <= MOST_LOG_LINES
    ? []
    : [`I7: ${host} logged ${linesInMinute} lines in a minute: ${loop}`];
}

/** A call takes well below a millisecond: 3,000 in a minute are 5 % of one core. */
const MOST_CALLS = 3_000;
/** E1: at most one try a second; and what somebody else changes is read and written too. */
const MOST_STORE_CALLS = 180;

/** I8: CPU <= 5 % of one core in any control-plane fault with no traffic. Counted in calls of ports. */
export function workBounded(
  host: string,
  { calls, storeCalls }: { readonly calls: number; readonly storeCalls: number },
): readonly string[] {
  return [
    ...(calls > MOST_CALLS ? [`I8: ${host} made ${calls} calls in a minute`] : []),
    ...(storeCalls > MOST_STORE_CALLS ? [`I8: ${host} asked the store ${storeCalls} times in a minute`] : []),
  ];
}

/** What a host looks like and what it should, for I9. */
export interface Likeness {
  readonly name: string;
  readonly ready: boolean;
  readonly lines: readonly string[];
  readonly expectedLines: readonly string[];
  readonly peers: ReadonlyMap<string, string>;
  readonly expectedPeers: ReadonlyMap<string, string>;
  readonly subnet: string | undefined;
  /** The subnets that it holds by etcd: one. */
  readonly held: readonly HeldSubnet[];
}

/** I9: convergence: with no new faults, all nodes reach the unique fixpoint, then zero writes. */
export function atFixpoint(likeness: Likeness): readonly string[] {
  const { name, ready, lines, expectedLines, peers, expectedPeers, subnet, held } = likeness;
  const missing = expectedLines.filter((line) => !lines.includes(line));
  const surplus = lines.filter((line) => !expectedLines.includes(line));
  const rows = (table: ReadonlyMap<string, string>) =>
    [...table].map(([key, at]) => `${key} at ${at}`).sort();
  const [wanted, found] = [rows(expectedPeers), rows(peers)];
  return [
    ...(held.length === 1
      ? []
      : [`holds ${held.length} leases: ${held.map((one) => one.subnet).join(', ')}`]),
    ...(held.length === 1 && held[0]?.subnet !== subnet
      ? [`forwards for ${subnet}, holds ${held[0]?.subnet}`]
      : []),
    ...(ready ? [] : ['is not ready']),
    ...missing.map((line) => `lacks ${line}`),
    ...surplus.map((line) => `has left over ${line}`),
    ...wanted.filter((row) => !found.includes(row)).map((row) => `lacks peer ${row}`),
    ...found.filter((row) => !wanted.includes(row)).map((row) => `has left over peer ${row}`),
  ].map((what) => `I9: ${name} ${what}`);
}

/** In this time a change at rest is followed: a damped key takes a second, peers are let go of after two. */
export const FOLLOWED_MS = 5_000;

/** I9, second half. */
export function silent(host: string, writes: readonly string[]): readonly string[] {
  return writes.map((what) => `I9: ${host} wrote at the fixpoint: ${what}`);
}

/** I10: same seed, same trace. */
export function sameTrace(first: string, second: string): readonly string[] {
  return first === second ? [] : [`I10: the trace of the seed is ${first}, and then ${second}`];
}
