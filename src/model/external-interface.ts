/** Which interface carries the packets to the other hosts, chosen from what the kernel shows. Order and preferences are flannel's. */
import { type Address, familyOf } from './address.js';
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
}

export interface CandidateRoute {
  readonly metric: number;
  readonly link?: string;
}

export interface Candidates {
  readonly links: readonly CandidateLink[];
  readonly addresses: readonly CandidateAddress[];
  /** Routes to 0.0.0.0/0 in the main table. */
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
 * is away for a moment.
 */
export function externalInterface(
  selector: InterfaceSelector,
  candidates: Candidates,
  inUse?: ExternalInterface,
): ExternalInterface {
  const kept = inUse && stillThere(inUse, candidates);
  if (kept !== undefined) return kept;
  const { name, chosenBy } = chosenLink(selector, candidates);
  const link = candidates.links.find((candidate) => candidate.name === name);
  if (link === undefined) {
    const known = candidates.links.map((candidate) => candidate.name).join(', ');
    throw new InterfaceError(
      `Cannot use interface "${name}" (${chosenBy}): there is none of that name, only ${known}`,
    );
  }
  const wanted = selector.by === 'address' ? selector.address : undefined;
  const ipv4 = bestAddress('ipv4', name, candidates.addresses, wanted);
  const ipv6 = bestAddress('ipv6', name, candidates.addresses, wanted);
  if (ipv4 === undefined && ipv6 === undefined) {
    throw new InterfaceError(`Cannot use interface "${name}" (${chosenBy}): it has no address`);
  }
  return { name, mtu: link.mtu, chosenBy, ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) };
}

function stillThere(
  inUse: ExternalInterface,
  { links, addresses }: Candidates,
): ExternalInterface | undefined {
  const link = links.find(({ name }) => name === inUse.name);
  const holds = (wanted: Address | undefined) =>
    wanted === undefined ||
    addresses.some(
      ({ link: holder, address, deprecated }) => holder === inUse.name && address === wanted && !deprecated,
    );
  return link?.up && holds(inUse.ipv4) && (inUse.ipv4 !== undefined || holds(inUse.ipv6))
    ? { ...inUse, mtu: link.mtu }
    : undefined;
}

function chosenLink(selector: InterfaceSelector, candidates: Candidates): { name: string; chosenBy: string } {
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
      const [best] = candidates.defaultRoutes
        .filter(({ link }) => link !== undefined)
        .toSorted((left, right) => left.metric - right.metric);
      if (best?.link !== undefined) return { name: best.link, chosenBy: 'default route' };
      if (reach !== undefined)
        return { name: reach.link, chosenBy: `no default route; route to the store ${reach.target}` };
      throw new InterfaceError(
        'Cannot choose an interface: there is no default route; name one with host.interface',
      );
    }
  }
}

/** Global before link-local, then permanent before temporary; never deprecated ones. `wanted` wins if the interface has it. */
function bestAddress(
  family: 'ipv4' | 'ipv6',
  link: string,
  addresses: readonly CandidateAddress[],
  wanted: Address | undefined,
): Address | undefined {
  const rank = ({ address, scope, permanent }: CandidateAddress) =>
    (address === wanted ? 0 : 4) + (scope === 'global' ? 0 : 2) + (permanent ? 0 : 1);
  const [best] = addresses
    .filter((candidate) => candidate.link === link && familyOf(candidate.address) === family)
    .filter(({ deprecated, scope }) => !deprecated && (scope === 'global' || scope === 'link'))
    .toSorted((left, right) => rank(left) - rank(right));
  return best?.address;
}
