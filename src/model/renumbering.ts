/**
 * Another subnet in place of the one that this host has in use: containers keep addresses of the old one until Docker
 * is restarted, so it is announced before it is done, and waits for a yes where somebody has ordered it unawares. Pure.
 */
import { FAMILIES, familyOf, overlaps, type Prefix } from './address.js';
import type { RenumberRule } from './config.js';
import type { Lease, Subnets } from './lease.js';
import { prefixesOf } from './lease-overlaps.js';
import type { NetworkConfig } from './network.js';
import { subnetMisfit } from './network-rules.js';

export interface Renumbering {
  readonly from: Prefix;
  readonly to: Prefix;
  /** In whole sentences, with what it means for the containers. */
  readonly reason: string;
  /** The file's rule does not cover it: it is done only for an operator who says so. */
  readonly needsConsent: boolean;
}

/** A subnet that this host has in use, and the other host's lease that covers it. */
export interface LostSubnet {
  readonly subnet: Prefix;
  readonly holder: Lease;
}

export interface RenumberingInput {
  readonly network: NetworkConfig;
  /** What this host has in use. */
  readonly previous: Subnets | undefined;
  /** What it is to have. */
  readonly planned: Subnets;
  readonly pinned: Subnets;
  /** This host's leases: a subnet of theirs is not new to it. */
  readonly own: readonly Lease[];
  /** What of `previous` other hosts hold now. */
  readonly lost: readonly LostSubnet[];
  readonly rule: RenumberRule;
}

/** Of `subnets` those that others hold, in each family by itself. `others` are all leases but this host's. */
export function lostSubnets(subnets: Subnets | undefined, others: readonly Lease[]): readonly LostSubnet[] {
  return prefixesOf(subnets).flatMap((subnet) => {
    const holder = others.find((lease) => prefixesOf(lease.subnets).some((held) => overlaps(held, subnet)));
    return holder === undefined ? [] : [{ subnet, holder }];
  });
}

export function conflictText({ subnet, holder: { subnets, attributes } }: LostSubnet): string {
  const { ipv4, ipv6 } = attributes.publicIps;
  return `${subnet}, which this host has in use, is held by ${ipv4 ?? ipv6 ?? 'another host'} (${prefixesOf(subnets).join(', ')})`;
}

/** Undefined unless a newly chosen subnet takes the place of one in use; of both families it is IPv4's. */
export function renumbering(input: RenumberingInput): Renumbering | undefined {
  const { previous, planned, own, rule } = input;
  const known = own.flatMap(({ subnets }) => prefixesOf(subnets));
  for (const family of FAMILIES) {
    const [from, to] = [previous?.[family], planned[family]];
    if (from === undefined || to === undefined || from === to || known.includes(to)) continue;
    const { why, isOrdered } = cause(from, to, input);
    const impact = `containers keep addresses of ${from}, and are cut off, until Docker is restarted`;
    return {
      from,
      to,
      reason: `${why}; ${to} takes its place: ${impact}`,
      needsConsent: rule === 'never' || (rule === 'auto' && isOrdered),
    };
  }
  return undefined;
}

/** For whoever is to say yes to it. */
export function consentText({ reason }: Renumbering): string {
  return `${reason}. To have it so: flannelette apply --allow-renumber`;
}

/** Ordered is what somebody has written, into the file or the network; else the subnet was lost to another lease. */
function cause(
  from: Prefix,
  to: Prefix,
  { network, pinned, lost }: RenumberingInput,
): { readonly why: string; readonly isOrdered: boolean } {
  if (prefixesOf(pinned).includes(to))
    return { why: `the file pins ${to}, and this host has ${from} in use`, isOrdered: true };
  const part = network[familyOf(from)];
  if (part === undefined || subnetMisfit(part, from) !== undefined)
    return { why: `the network has no place for ${from}, which this host has in use`, isOrdered: true };
  const loss = lost.find(({ subnet }) => subnet === from);
  const why =
    loss === undefined
      ? `${from}, which this host has in use, is taken by a lease that cannot be read`
      : conflictText(loss);
  return { why, isOrdered: false };
}
