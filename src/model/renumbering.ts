/**
 * Another subnet in place of the one that this host has in use: containers keep addresses of the old one until Docker
 * is restarted, so it is announced before it is done. Pure.
 */
import { overlaps, type Prefix } from './address.js';
import type { Lease, Subnets } from './lease.js';
import { prefixesOf } from './lease-overlaps.js';

export interface Renumbering {
  readonly from: Prefix;
  readonly to: Prefix;
  /** In whole sentences, with what it means for the containers. */
  readonly reason: string;
}

/** The other host's lease that covers `subnet`, if there is one. `others` are all leases but this host's. */
export function holderOf(subnet: Prefix, others: readonly Lease[]): Lease | undefined {
  return others.find(({ subnets }) => prefixesOf(subnets).some((held) => overlaps(held, subnet)));
}

export function conflictText(subnet: Prefix, { subnets, attributes }: Lease): string {
  const { ipv4, ipv6 } = attributes.publicIps;
  return `${subnet}, which this host has in use, is held by ${ipv4 ?? ipv6 ?? 'another host'} (${prefixesOf(subnets).join(', ')})`;
}

/** Undefined unless the newly chosen `subnets` take the place of `previous`. `holder` has that now, if anybody has. */
export function renumbering(
  previous: Prefix | undefined,
  { ipv4: to }: Subnets,
  holder: Lease | undefined,
): Renumbering | undefined {
  if (previous === undefined || to === undefined || to === previous) return undefined;
  const why =
    holder === undefined
      ? `the network has no place for ${previous}, which this host has in use`
      : conflictText(previous, holder);
  const impact = `containers keep addresses of ${previous}, and are cut off, until Docker is restarted`;
  return { from: previous, to, reason: `${why}; ${to} takes its place: ${impact}` };
}
