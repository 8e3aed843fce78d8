/** The leases of a network, as documents and as text. Pure. */

import { isSameHost, type Lease, NO_ETCD_LEASE, type PublicIps } from '../model/lease.js';
import type { StoreView } from '../model/store-view.js';
import { table } from './table.js';

export interface LeaseDocument {
  readonly subnets: readonly string[];
  readonly publicIps: readonly string[];
  /** flannel leaves it out for udp and alloc. */
  readonly backend: string;
  readonly isThisHost: boolean;
  /** Absent for a reservation. */
  readonly secondsLeft?: number;
}

export interface LeasesDocument {
  readonly leases: readonly LeaseDocument[];
  readonly setAside: readonly { readonly key: string; readonly reason: string }[];
}

/** `own` are this host's addresses, as far as they are known; `secondsLeft` holds the etcd leases by id. */
export function leasesDocument(
  view: StoreView,
  secondsLeft: ReadonlyMap<string, number>,
  own: PublicIps,
): LeasesDocument {
  return {
    leases: view.leases.map((lease) => leaseDocument(lease, secondsLeft.get(lease.etcdLease), own)),
    setAside: view.quarantined.map(({ key, reason }) => ({ key: JSON.stringify(key), reason })),
  };
}

function leaseDocument(
  { subnets, attributes, etcdLease }: Lease,
  secondsLeft: number | undefined,
  own: PublicIps,
): LeaseDocument {
  const { publicIps, backendType } = attributes;
  return {
    subnets: [subnets.ipv4, subnets.ipv6].flatMap((subnet) => subnet ?? []),
    publicIps: [publicIps.ipv4, publicIps.ipv6].flatMap((address) => address ?? []),
    // Anybody may write to the store: no control character of it reaches a terminal.
    backend: JSON.stringify(backendType).slice(1, -1),
    isThisHost: isSameHost(publicIps, own),
    ...(etcdLease !== NO_ETCD_LEASE && secondsLeft !== undefined && { secondsLeft }),
  };
}

export function leasesText({ leases, setAside }: LeasesDocument): string {
  const rows = leases.map(({ subnets, publicIps, backend, isThisHost, secondsLeft }) => [
    subnets.join(', '),
    publicIps.join(', '),
    backend === '' ? '-' : backend,
    secondsLeft === undefined ? 'reserved' : durationText(secondsLeft),
    isThisHost ? 'this host' : '',
  ]);
  const [, ...lines] = table(['SUBNET', 'AT', 'BACKEND', 'LEFT', ''], rows);
  const aside = setAside.map(({ key, reason }) => `set aside: ${key}: ${reason}`);
  const none = leases.length === 0 ? ['no leases'] : [];
  return `${[...none, ...lines, ...aside].join('\n')}\n`;
}

/** `23h59m`, `4m10s`, `9s`. */
function durationText(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
