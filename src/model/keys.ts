/** The names of objects: how plans, status and `requires` speak of them. */
import { type Address, baseOf, type Family, familyOf, lengthOf, type Prefix } from './address.js';
import type { Subnets } from './lease.js';
import type { KindName, RouteState } from './objects.js';
import type { ResourceKey } from './plan.js';

export const NETWORK_CONFIG_KEY: ResourceKey = 'network-config:config';

/** The main routing table (linux/rtnetlink.h, RT_TABLE_MAIN). */
export const MAIN_TABLE = 254;

/** flannel's key below `subnets/`: `10.5.34.0-24`, dual stack `10.5.34.0-24&fd00:1::-56`. */
export function subnetKey(subnets: Subnets): string {
  const ipv4 = subnets.ipv4 === undefined ? '0.0.0.0-0' : dashed(subnets.ipv4);
  return subnets.ipv6 === undefined ? ipv4 : `${ipv4}&${dashed(subnets.ipv6)}`;
}

function dashed(prefix: Prefix): string {
  return `${baseOf(prefix)}-${lengthOf(prefix)}`;
}

export function leaseKey(subnets: Subnets): ResourceKey {
  return `lease:${subnetKey(subnets)}`;
}

export function commandKey(purpose: string): ResourceKey {
  return `command:${purpose}`;
}

export function linkKey(name: string): ResourceKey {
  return `link:${name}`;
}

export function addressKey(link: string, address: Address, length: number): ResourceKey {
  return `address:${link} ${address}/${length}`;
}

export function sysctlKey(name: string): ResourceKey {
  return `sysctl:${name}`;
}

/** What a route gets that is written without one (linux/ipv6_route.h, IP6_RT_PRIO_USER). */
export const USUAL_METRIC = { ipv4: 0, ipv6: 1024 } as const satisfies Record<Family, number>;

/** What the kernel tells two routes apart by; the usual values are left unsaid. */
export function routeKey(route: Pick<RouteState, 'destination' | 'table' | 'tos' | 'metric'>): ResourceKey {
  const table = route.table === MAIN_TABLE ? '' : ` table ${route.table}`;
  const tos = route.tos === 0 ? '' : ` tos ${route.tos}`;
  const isUsual = route.metric === USUAL_METRIC[familyOf(route.destination)];
  const metric = isUsual ? '' : ` metric ${route.metric}`;
  return `route:${route.destination}${table}${tos}${metric}`;
}

export function neighbourKey(link: string, address: Address): ResourceKey {
  return `neighbour:${link} ${address}`;
}

export function fdbKey(link: string, mac: string): ResourceKey {
  return `fdb:${link} ${mac}`;
}

export function forwarderKey(tun: string): ResourceKey {
  return `forwarder:${tun}`;
}

export function peerKey(subnet: Prefix): ResourceKey {
  return `peer:${subnet}`;
}

export function fileKey(path: string): ResourceKey {
  return `file:${path}`;
}

export function dockerSettingsKey(path: string): ResourceKey {
  return `docker-settings:${path}`;
}

export function dockerBridgeKey(name: string): ResourceKey {
  return `docker-bridge:${name}`;
}

/** Stands for all objects of a kind: in place while nothing of it is left to do. */
export function settledKey(kind: KindName): ResourceKey {
  return `settled:${kind}`;
}
