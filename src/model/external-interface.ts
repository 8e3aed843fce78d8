/** Which interface carries the packets to the other hosts, chosen from what the kernel shows. Order and preferences are flannel's. */
import { type Address, FAMILIES, FAMILY_NAME, type Family, familyOf } from './address.js';
import type { InterfaceSelector } from './config.js';
import type { ExternalInterface } from './host.js';

export interface CandidateLink {
  readonly name: string;
  /** Bytes. */
  readonly mtu: number;
  readonly up: boolean;
}

export interface CandidateAddress {
  readonly link: string;
  readonly address: Address;
  readonly scope: 'global' | 'site' | 'link' | 'host' | 'nowhere';
  readonly deprecated: boolean;
  readonly permanent: boolean;
  readonly temporary: boolean;
  readonly tentative: boolean;
}

export interface CandidateRoute {
  readonly family: Family;
  readonly metric: number;
  readonly link?: string;
}

export interface Candidates {
  readonly links: readonly CandidateLink[];
  readonly addresses: readonly CandidateAddress[];
  /** Routes to 0.0.0.0/0 and ::/0 in the main table. */
  readonly defaultRoutes: readonly CandidateRoute[];
  /** The kernel's route to the selector's address, or to the store when there is no default route. */
  readonly reach?: { readonly target: Address; readonly link: string } | undefined;
}

export class InterfaceError extends Error {
  override readonly name = 'InterfaceError';
}

/**
 * Throws InterfaceError that says what was looked for, what is there, and how to choose. The one `inUse` is kept as
 * long as it is up and has its address: the address is this host's identity, and must not follow a default route that
 * is away for a moment. `families` are those of the network; undefined while the file does not say: then an interface
 * with an address in either serves.
 */
export function externalInterface(
  selector: InterfaceSelector,
  families: readonly Family[] | undefined,
  candidates: Candidates,
  inUse?: ExternalInterface,
): ExternalInterface {
  const kept = inUse && stillThere(inUse, families, candidates);
  if (kept !== undefined) return kept;
  const { name, chosenBy } = chosenLink(selector, families, candidates);
  const link = candidates.links.find((candidate) => candidate.name === name);
  if (link === undefined) {
    const known = candidates.links.map((candidate) => candidate.name).join(', ');
    throw new InterfaceError(
      `Cannot use interface "${name}" (${chosenBy}): there is none of that name, only ${known}`,
    );
  }
  const wanted = selector.by === 'address' ? selector.address : undefined;
  const found: { [F in Family]?: Address } = {};
  for (const family of families ?? FAMILIES) {
    const best = bestAddress(family, name, candidates.addresses, wanted);
    if (best !== undefined) found[family] = best;
    else if (families !== undefined) {
      const needed = families.length > 1 ? ', and the network has both families' : '';
      throw new InterfaceError(
        `Cannot use interface "${name}" (${chosenBy}): it has no usable ${FAMILY_NAME[family]} address${needed}; give it one, or name another with host.interface`,
      );
    }
  }
  if (found.ipv4 === undefined && found.ipv6 === undefined) {
    throw new InterfaceError(`Cannot use interface "${name}" (${chosenBy}): it has no address`);
  }
  return { name, mtu: link.mtu, chosenBy, ...found };
}

/**
 * Where the families are not known, the address that the host is known by decides (model/lease.ts, isSameHost); one of
 * the other family may come later and go again, as an autoconfigured one does.
 */
function stillThere(
  inUse: ExternalInterface,
  families: readonly Family[] | undefined,
  { links, addresses }: Candidates,
): ExternalInterface | undefined {
  const { name, chosenBy } = inUse;
  const link = links.find((candidate) => candidate.name === name);
  const holds = (wanted: Address | undefined) =>
    wanted === undefined ||
    addresses.some(
      ({ link: holder, address, deprecated }) => holder === name && address === wanted && !deprecated,
    );
  const known = families ?? [inUse.ipv4 === undefined ? 'ipv6' : 'ipv4'];
  if (!link?.up || !known.every((family) => holds(inUse[family]))) return undefined;
  const kept: { [F in Family]?: Address } = {};
  for (const family of families ?? FAMILIES) {
    const before = inUse[family];
    const address =
      before !== undefined && holds(before) ? before : bestAddress(family, name, addresses, undefined);
    if (address !== undefined) kept[family] = address;
  }
  return { name, mtu: link.mtu, chosenBy, ...kept };
}

function chosenLink(
  selector: InterfaceSelector,
  families: readonly Family[] | undefined,
  candidates: Candidates,
): { name: string; chosenBy: string } {
  const { addresses, links, reach } = candidates;
  switch (selector.by) {
    case 'name':
      return { name: selector.name, chosenBy: `host.interface: ${selector.name}` };
    case 'address': {
      const holder = addresses.find(({ address }) => address === selector.address);
      if (holder === undefined) {
        throw new InterfaceError(
          `Cannot find the interface that holds ${selector.address} (host.interface): no interface has it`,
        );
      }
      return { name: holder.link, chosenBy: `host.interface: ${selector.address}` };
    }
    case 'regex': {
      // flannel tries every address before any name.
      const pattern = new RegExp(selector.regex);
      const name =
        addresses.find(({ address, scope }) => scope !== 'host' && pattern.test(address))?.link ??
        links.find((link) => pattern.test(link.name))?.name;
      if (name === undefined) {
        throw new InterfaceError(
          `Cannot find an interface matching /${selector.regex}/ (host.interface): no address and no name does`,
        );
      }
      return { name, chosenBy: `host.interface: regex ${selector.regex}` };
    }
    case 'can-reach':
      if (reach === undefined) {
        throw new InterfaceError(
          `Cannot find the interface that reaches ${selector.address} (host.interface): no route leads there`,
        );
      }
      return { name: reach.link, chosenBy: `host.interface: route to ${reach.target}` };
    case 'default-route': {
      const name = linkOfDefaultRoute(families, candidates);
      if (name !== undefined) return { name, chosenBy: 'default route' };
      if (reach !== undefined)
        return { name: reach.link, chosenBy: `no default route; route to the store ${reach.target}` };
      throw new InterfaceError(
        'Cannot choose an interface: there is no default route; name one with host.interface',
      );
    }
  }
}

/** The lowest metric of the first family that has any; rather one with addresses in every family that is needed. */
function linkOfDefaultRoute(
  families: readonly Family[] | undefined,
  { defaultRoutes, addresses }: Candidates,
): string | undefined {
  const names = (families ?? FAMILIES).flatMap((family) =>
    defaultRoutes
      .filter((route) => route.family === family)
      .toSorted((left, right) => left.metric - right.metric)
      .flatMap(({ link }) => link ?? []),
  );
  const hasAll = (name: string) =>
    families?.every((family) => bestAddress(family, name, addresses, undefined) !== undefined);
  return names.find(hasAll) ?? names[0];
}

/**
 * Global before link-local, then permanent before dynamic, then those that are not temporary; never deprecated ones.
 * No link-local one of IPv6: every interface has one, and what it means ends with the link. `wanted` wins if the
 * interface has it.
 */
function bestAddress(
  family: Family,
  link: string,
  addresses: readonly CandidateAddress[],
  wanted: Address | undefined,
): Address | undefined {
  const rank = ({ address, scope, permanent, temporary }: CandidateAddress) =>
    (address === wanted ? 0 : 8) + (scope === 'global' ? 0 : 4) + (permanent ? 0 : 2) + (temporary ? 1 : 0);
  const [best] = addresses
    .filter((candidate) => candidate.link === link && familyOf(candidate.address) === family)
    .filter(({ deprecated, tentative }) => !deprecated && !tentative)
    .filter(({ scope }) => scope === 'global' || (scope === 'link' && family === 'ipv4'))
    .toSorted((left, right) => rank(left) - rank(right));
  return best?.address;
}
