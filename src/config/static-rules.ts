/** What a list of peers must be, in itself and to this host. */
import { FAMILIES, type Family, overlaps, type Prefix, rangeOf } from '../model/address.js';
import { subnetMisfit } from '../model/network-rules.js';
import { type Mistake, notAllowed, type RuleMistake } from './mistake.js';
import {
  cidrPlace,
  declaredFamilies,
  FAMILY_KEYS,
  misplaced,
  networkPlaces,
  withoutFamily,
} from './network-rules.js';
import type { Path } from './outline.js';
import type { FileValues, HostFields } from './schema.js';

const PEERS = ['store', 'static', 'peers'];

export function staticMistakes(values: FileValues): readonly RuleMistake[] {
  const peers = values.store.static?.peers ?? [];
  return [
    ...FAMILIES.flatMap((family) =>
      peers.flatMap((peer, index) => withoutFamily(values, family, peer, [...PEERS, index])),
    ),
    ...FAMILIES.flatMap((family) => peerMistakes(values, peers, family)),
  ];
}

/** One family of every peer; nothing where the network has not that family. */
function peerMistakes(values: FileValues, peers: readonly HostFields[], family: Family): RuleMistake[] {
  const network = declaredFamilies(values)[family];
  if (network === undefined) return [];
  const keys = FAMILY_KEYS[family];
  const place = (index: number, key: 'subnet' | 'publicIp') => [...PEERS, index, keys[key]];
  const firstHolder = new Map<string, number>();
  const mistakes: Mistake[] = [];
  for (const [index, peer] of peers.entries()) {
    const [subnet, publicIp] = [peer[keys.subnet], peer[keys.publicIp]];
    const [subnetPath, publicIpPath] = [place(index, 'subnet'), place(index, 'publicIp')];
    if (subnet === undefined) mistakes.push(missing(subnetPath, `that host's subnet in ${network.cidr}`));
    if (publicIp === undefined) mistakes.push(missing(publicIpPath, 'the address that it receives at'));
    if (subnet === undefined || publicIp === undefined) continue;
    mistakes.push(...ownMistakes(peer, values.host, family, [...PEERS, index]));
    const misfit = subnetMisfit(network, subnet);
    if (misfit !== undefined) mistakes.push(misplaced(subnetPath, subnet, misfit));
    const holder = firstHolder.get(publicIp);
    if (holder === undefined) firstHolder.set(publicIp, index);
    else mistakes.push(notAllowed(publicIpPath, publicIp, `must be one host's: peers[${holder}] has it too`));
  }
  const subnets = peers.flatMap((peer, index) => {
    const subnet = peer[keys.subnet];
    return subnet === undefined ? [] : [{ subnet, index }];
  });
  for (const { subnet, index, other } of overlapping(subnets)) {
    mistakes.push(notAllowed(place(index, 'subnet'), subnet, `must not overlap that of peers[${other}]`));
  }
  const reads = [PEERS, ['host', keys.subnet], ['host', keys.publicIp], ...networkPlaces(family)];
  return mistakes.map((mistake) => ({ ...mistake, reads }));
}

function missing(path: Path, what: string): Mistake {
  return notAllowed(path, undefined, `must be ${what}`);
}

/** This host may stand in the list, so that all hosts share one; then it must be the same host in both places. */
function ownMistakes(peer: HostFields, host: HostFields, family: Family, at: Path): Mistake[] {
  const keys = FAMILY_KEYS[family];
  const [subnet, publicIp] = [peer[keys.subnet], peer[keys.publicIp]];
  const [ownSubnet, ownPublicIp] = [host[keys.subnet], host[keys.publicIp]];
  if (subnet === undefined || ownSubnet === undefined) return [];
  if (subnet === ownSubnet) {
    if (ownPublicIp === undefined || ownPublicIp === publicIp) return [];
    const allowed = `must be host.${keys.publicIp} ${ownPublicIp}: the subnet is this host's`;
    return [notAllowed([...at, keys.publicIp], publicIp, allowed)];
  }
  if (publicIp === ownPublicIp) {
    const allowed = `must be another host's: it is host.${keys.publicIp}`;
    return [notAllowed([...at, keys.publicIp], publicIp, allowed)];
  }
  if (!overlaps(subnet, ownSubnet)) return [];
  const allowed = `must not overlap host.${keys.subnet} ${ownSubnet}`;
  return [notAllowed([...at, keys.subnet], subnet, allowed)];
}

/** Those that overlap an earlier one, each with that one. In order of address a prefix can only overlap the widest before it. */
function overlapping(
  subnets: readonly { readonly subnet: Prefix; readonly index: number }[],
): readonly { readonly subnet: Prefix; readonly index: number; readonly other: number }[] {
  const ordered = subnets
    .map((given) => ({ ...given, ...rangeOf(given.subnet) }))
    .sort((left, right) => Number(left.first - right.first) || left.index - right.index);
  const found: { subnet: Prefix; index: number; other: number }[] = [];
  let widest = ordered[0];
  for (const range of ordered.slice(1)) {
    if (widest !== undefined && range.first <= widest.last) {
      const [later, earlier] = range.index > widest.index ? [range, widest] : [widest, range];
      found.push({ subnet: later.subnet, index: later.index, other: earlier.index });
    }
    if (widest === undefined || range.last > widest.last) widest = range;
  }
  return found;
}

/** With no server to read the network from and to give subnets out, the file must say both. */
export function serverlessMistakes(values: FileValues): readonly RuleMistake[] {
  const declared = declaredFamilies(values);
  const claim = (path: Path, message: string): RuleMistake => ({ path, at: 'key', message, reads: [path] });
  const families = FAMILIES.filter((family) => declared[family] !== undefined);
  const named = values.network.cidr !== undefined || values.network.ipv6 !== undefined;
  const needed = named ? families : (['ipv4'] as const);
  return [
    ...(named
      ? []
      : [
          claim(
            cidrPlace('ipv4'),
            'is missing: with store.static there is no server to read the network from',
          ),
        ]),
    ...needed
      .map((family) => FAMILY_KEYS[family].subnet)
      .filter((key) => values.host[key] === undefined)
      .map((key) =>
        claim(
          ['host', key],
          'is missing: with store.static no server gives subnets out, so hosts would not agree on theirs',
        ),
      ),
  ];
}
