/** What fields must be to each other. Each field by itself is right already. */
import { contains, overlaps, type Prefix, rangeOf } from '../model/address.js';
import type { FamilyNetwork } from '../model/network.js';
import { familyNetwork, subnetMisfit } from '../model/network-rules.js';
import { inWords } from './fields.js';
import { type Mistake, notAllowed } from './mistake.js';
import type { Path } from './outline.js';
import { type FileValues, INTERFACE_KEYS } from './schema.js';

/** A mistake between fields. It is not said when one of those it `reads` is wrong by itself. */
export interface RuleMistake extends Mistake {
  readonly reads: readonly Path[];
}

/** `isWritten` tells a default from the same value in the file. */
export function ruleMistakes(values: FileValues, isWritten: (path: Path) => boolean): readonly RuleMistake[] {
  return [
    ...withoutCidr(values, isWritten),
    ...networkMistakes(values),
    ...hostMistakes(values),
    ...storeMistakes(values, isWritten),
    ...etcdMistakes(values),
    ...staticMistakes(values),
    ...filesMistakes(values, isWritten),
    ...dockerMistakes(values),
  ];
}

const CIDR = ['network', 'cidr'];
const NETWORK = [CIDR, ['network', 'subnetLength'], ['network', 'subnetMin'], ['network', 'subnetMax']];
const SUBNET = ['host', 'subnet'];
const PUBLIC_IP = ['host', 'publicIP'];
const ETCD = ['store', 'etcd'];
const STATIC = ['store', 'static'];
const PEERS = ['store', 'static', 'peers'];

function withoutCidr({ network }: FileValues, isWritten: (path: Path) => boolean): RuleMistake[] {
  if (network.cidr !== undefined) return [];
  return ['subnetLength', 'subnetMin', 'subnetMax', 'publish', 'backend'].flatMap((key) => {
    const path = ['network', key];
    const message = 'needs network.cidr: without it the whole network is read from the store';
    return isWritten(path) ? [{ path, at: 'key' as const, message, reads: [CIDR, path] }] : [];
  });
}

function networkMistakes({ network }: FileValues): RuleMistake[] {
  if (network.cidr === undefined) return [];
  const result = familyNetwork({ ...network, cidr: network.cidr });
  if ('network' in result) return [];
  return result.errors.map(({ field, message }) => {
    const path = ['network', field];
    const value = network[field] === undefined ? {} : { value: String(network[field]) };
    return { path, at: 'value', message, ...value, reads: [CIDR, ['network', 'subnetLength'], path] };
  });
}

/** The file's network with flannel's defaults; undefined when it is not written or not right. */
export function declaredNetwork({ network }: FileValues): FamilyNetwork | undefined {
  if (network.cidr === undefined) return undefined;
  const result = familyNetwork({ ...network, cidr: network.cidr });
  return 'network' in result ? result.network : undefined;
}

function hostMistakes(values: FileValues): RuleMistake[] {
  const { interface: selector, subnet, publicIP } = values.host;
  const mistakes: RuleMistake[] = [];
  const path = ['host', 'interface'];
  if (!('by' in selector) && INTERFACE_KEYS.filter((key) => selector[key] !== undefined).length !== 1) {
    const message = `must hold exactly one of ${inWords(INTERFACE_KEYS)}`;
    mistakes.push({ path, at: 'value', message, reads: [path] });
  }
  const network = declaredNetwork(values);
  if (subnet === undefined) return mistakes;
  const misfit = network && subnetMisfit(network, subnet);
  if (misfit !== undefined)
    mistakes.push({ ...misplaced(SUBNET, subnet, misfit), reads: [SUBNET, ...NETWORK] });
  if (publicIP !== undefined && contains(subnet, publicIP)) {
    const allowed = `must lie outside this host's subnet ${subnet}`;
    mistakes.push({ ...notAllowed(PUBLIC_IP, publicIP, allowed), reads: [SUBNET, PUBLIC_IP] });
  }
  return mistakes;
}

function misplaced(path: Path, subnet: Prefix, misfit: string): Mistake {
  return { path, at: 'value', value: subnet, message: `"${subnet}" is no subnet of the network: ${misfit}` };
}

function storeMistakes(
  { network, host, store }: FileValues,
  isWritten: (path: Path) => boolean,
): RuleMistake[] {
  if (store.static === undefined) return [];
  const mistakes: RuleMistake[] = [];
  const claim = (path: Path, message: string) => mistakes.push({ path, at: 'key', message, reads: [path] });
  if (store.etcd !== undefined) claim(STATIC, 'cannot stand beside store.etcd: must be one of the two');
  if (network.cidr === undefined) {
    claim(CIDR, 'is missing: with store.static there is no server to read the network from');
  }
  if (host.subnet === undefined) {
    claim(
      SUBNET,
      'is missing: with store.static no server gives subnets out, so hosts would not agree on theirs',
    );
  }
  const publish = ['network', 'publish'];
  if (isWritten(publish)) claim(publish, 'needs store.etcd: with store.static there is nowhere to publish');
  return mistakes;
}

function etcdMistakes({ store: { etcd } }: FileValues): RuleMistake[] {
  if (etcd === undefined) return [];
  const { endpoints, username, passwordFile, tls } = etcd;
  const mistakes: RuleMistake[] = [];
  const schemes = new Set(endpoints.map((endpoint) => endpoint.slice(0, endpoint.indexOf(':'))));
  const path = [...ETCD, 'endpoints'];
  if (schemes.size > 1) {
    mistakes.push({ path, at: 'value', message: 'must be all http:// or all https://', reads: [path] });
  }
  if (tls !== undefined && !schemes.has('https')) {
    const message = 'needs https:// endpoints: http:// is not encrypted';
    mistakes.push({ path: [...ETCD, 'tls'], at: 'key', message, reads: [path] });
  }
  mistakes.push(...together(ETCD, { username, passwordFile }));
  if (tls !== undefined) {
    mistakes.push(...together([...ETCD, 'tls'], { certFile: tls.certFile, keyFile: tls.keyFile }));
  }
  return mistakes;
}

/** Two keys of which one is useless without the other. */
function together(section: Path, pair: Readonly<Record<string, unknown>>): RuleMistake[] {
  const names = Object.keys(pair);
  const missing = names.filter((name) => pair[name] === undefined);
  if (missing.length !== 1) return [];
  const reads = names.map((name) => [...section, name]);
  return names
    .filter((name) => pair[name] !== undefined)
    .map((name) => ({
      path: [...section, name],
      at: 'key',
      message: `needs ${missing[0]} beside it`,
      reads,
    }));
}

type Peer = NonNullable<FileValues['store']['static']>['peers'][number];

function staticMistakes(values: FileValues): RuleMistake[] {
  const peers = values.store.static?.peers ?? [];
  const network = declaredNetwork(values);
  const firstHolder = new Map<string, number>();
  const mistakes = peers.flatMap((peer, index) => {
    const [subnet, publicIP] = [
      [...PEERS, index, 'subnet'],
      [...PEERS, index, 'publicIP'],
    ];
    const found: Mistake[] = ownMistakes(peer, values.host, subnet, publicIP);
    const misfit = network && subnetMisfit(network, peer.subnet);
    if (misfit !== undefined) found.push(misplaced(subnet, peer.subnet, misfit));
    const holder = firstHolder.get(peer.publicIP);
    if (holder === undefined) firstHolder.set(peer.publicIP, index);
    else found.push(notAllowed(publicIP, peer.publicIP, `must be one host's: peers[${holder}] has it too`));
    return found;
  });
  for (const [index, other] of overlapping(peers.map(({ subnet }) => subnet))) {
    const subnet = peers[index]?.subnet;
    mistakes.push(
      notAllowed([...PEERS, index, 'subnet'], subnet, `must not overlap that of peers[${other}]`),
    );
  }
  const reads = [PEERS, SUBNET, PUBLIC_IP, ...NETWORK];
  return mistakes.map((mistake) => ({ ...mistake, reads }));
}

/** This host may stand in the list, so that all hosts share one; then it must be the same host in both places. */
function ownMistakes(peer: Peer, host: FileValues['host'], subnet: Path, publicIP: Path): Mistake[] {
  if (host.subnet === undefined) return [];
  if (peer.subnet === host.subnet) {
    if (host.publicIP === undefined || host.publicIP === peer.publicIP) return [];
    const allowed = `must be host.publicIP ${host.publicIP}: the subnet is this host's`;
    return [notAllowed(publicIP, peer.publicIP, allowed)];
  }
  if (peer.publicIP === host.publicIP) {
    return [notAllowed(publicIP, peer.publicIP, "must be another host's: it is host.publicIP")];
  }
  if (!overlaps(peer.subnet, host.subnet)) return [];
  return [notAllowed(subnet, peer.subnet, `must not overlap host.subnet ${host.subnet}`)];
}

/** Indices of prefixes that overlap an earlier one, each with that one. In order of address a prefix can only overlap the widest before it. */
function overlapping(prefixes: readonly Prefix[]): readonly (readonly [number, number])[] {
  const ordered = prefixes
    .map((prefix, index) => ({ ...rangeOf(prefix), index }))
    .sort((left, right) => Number(left.first - right.first) || left.index - right.index);
  const found: [number, number][] = [];
  let widest = ordered[0];
  for (const range of ordered.slice(1)) {
    if (widest !== undefined && range.first <= widest.last) {
      found.push([Math.max(range.index, widest.index), Math.min(range.index, widest.index)]);
    }
    if (widest === undefined || range.last > widest.last) widest = range;
  }
  return found;
}

/** No file may stand in another's place; of two the one that is written in the file is told. */
function filesMistakes({ files, docker }: FileValues, isWritten: (path: Path) => boolean): RuleMistake[] {
  const places = [
    { path: ['files', 'subnetEnv'], value: files.subnetEnv },
    { path: ['files', 'dockerOptions'], value: files.dockerOptions },
    { path: ['docker', 'daemonJson'], value: docker.daemonJson },
  ];
  const pairs = places.flatMap((first, index) =>
    places.slice(index + 1).map((second) => [first, second] as const),
  );
  return pairs.flatMap(([first, second]) => {
    if (first.value !== second.value) return [];
    const [{ path, value }, other] = isWritten(second.path) ? [second, first] : [first, second];
    const allowed = `must be another file than ${other.path.join('.')}`;
    return [{ ...notAllowed(path, value, allowed), reads: [path, other.path] }];
  });
}

function dockerMistakes({ docker }: FileValues): RuleMistake[] {
  if (docker.mode !== 'off' || docker.onChange === undefined) return [];
  const [mode, path] = [
    ['docker', 'mode'],
    ['docker', 'onChange'],
  ];
  const message = 'needs docker.mode options-file or daemon-json: with off nobody watches the bridge';
  return [{ path, at: 'key', message, reads: [mode, path] }];
}
