/**
 * What is on a host, and in its store, before we come. Links, addresses, routes and settings are lines in the words of
 * ip(8), the same in which worlds are printed; on-fakes.ts and on-kernel.ts make them real.
 */
import {
  type Address,
  type Prefix,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
} from '../../src/model/address.js';
import type { FdbState, NeighbourState, VxlanState } from '../../src/model/objects.js';
import type { NetlinkRoute } from '../../src/ports.js';

export interface World {
  /** Beside `lo`, `eth0` and the default route over it. */
  readonly kernel: readonly string[];
  /** nft tables with flannel's rules. */
  readonly tables: readonly TableThere[];
  /** Chains of the filter table. */
  readonly chains: readonly ChainThere[];
  readonly files: readonly FileThere[];
  readonly store: readonly EntryThere[];
}

export interface TableThere {
  readonly table: string;
  readonly network: string;
  readonly subnet: string;
  /** With a rule in it that is none of ours. */
  readonly foreignRule?: boolean;
}

export interface ChainThere {
  readonly chain: string;
  readonly network: string;
  /** Whose comments its rules and the jump to it carry. */
  readonly by: 'flannelette' | 'flanneld';
  readonly jump?: boolean;
  readonly foreignRule?: boolean;
}

export interface FileThere {
  readonly path: string;
  readonly content: string;
  /** Octal; 0644 unless given. */
  readonly mode?: string;
}

export interface EntryThere {
  readonly key: string;
  readonly value: string;
  /** Hangs on a lease: otherwise it is a reservation. */
  readonly leased?: boolean;
}

export const EMPTY_WORLD: World = { kernel: [], tables: [], chains: [], files: [], store: [] };

export type KernelThing =
  | {
      readonly what: 'link';
      readonly name: string;
      readonly kind: string;
      readonly multiQueue: boolean;
      readonly mtu: number;
      readonly up: boolean;
      /** Of a TUN: whether somebody has it open. */
      readonly carrier: boolean;
      readonly alias?: string;
      readonly vxlan?: VxlanState;
    }
  | ({ readonly what: 'neighbour' } & NeighbourState)
  | ({ readonly what: 'fdb' } & FdbState)
  | { readonly what: 'address'; readonly link: string; readonly address: Address; readonly length: number }
  | ({ readonly what: 'route' } & Omit<NetlinkRoute, 'multipath'>)
  | { readonly what: 'sysctl'; readonly name: string; readonly value: string };

const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254 };
const PROTOCOLS: Readonly<Record<string, number>> = { kernel: 2, boot: 3, static: 4 };
const ROUTE_TYPES = ['unicast', 'blackhole', 'unreachable', 'prohibit'] as const;

/** Throws on a line that it does not understand in full. */
export function kernelThing(line: string): KernelThing {
  const words = [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
  const what = words.shift() ?? '';
  const thing = READERS[what]?.(words);
  if (thing === undefined || words.length > 0) throw new Error(`Cannot read the line: ${line}`);
  return thing;
}

/** Each takes the words that it understands out of the list. */
const READERS: Readonly<Record<string, (words: string[]) => KernelThing>> = {
  link: linkOf,
  neighbour: neighbourOf,
  fdb: fdbOf,
  address: addressOf,
  route: routeOf,
  sysctl: sysctlOf,
};

function linkOf(words: string[]): KernelThing {
  const [name = '', kind = ''] = words.splice(0, 2);
  const [multiQueue, mtu, alias] = [
    taken(words, 'multi_queue'),
    valueAfter(words, 'mtu'),
    valueAfter(words, 'alias'),
  ];
  const [up, down, noCarrier] = [taken(words, 'up'), taken(words, 'down'), taken(words, 'no-carrier')];
  const vxlan = kind === 'vxlan' ? { vxlan: vxlanOf(words) } : {};
  if (up === down) throw new Error(`Cannot read link ${name}: it must be up or down`);
  const shown = { name, kind, multiQueue, mtu: Number(mtu ?? 1500), up, carrier: !noCarrier };
  return { what: 'link', ...shown, ...(alias !== undefined && { alias }), ...vxlan };
}

function vxlanOf(words: string[]): VxlanState {
  const number = (name: string) => Number(valueAfter(words, name));
  const [vni, port, local] = [number('id'), number('dstport'), valueAfter(words, 'local') ?? ''];
  const [underlay = '', mac = ''] = [valueAfter(words, 'dev'), valueAfter(words, 'mac')];
  const [learning, gbp] = [taken(words, 'learning'), taken(words, 'gbp')];
  return { vni, port, local: parseAddress(local), underlay, learning, gbp, mac };
}

function neighbourOf(words: string[]): KernelThing {
  const address = parseAddress(words.shift() ?? '');
  const [mac = '', link = ''] = [valueAfter(words, 'lladdr'), valueAfter(words, 'dev')];
  return { what: 'neighbour', address, mac, link };
}

function fdbOf(words: string[]): KernelThing {
  const mac = words.shift() ?? '';
  const [destination = '', link = ''] = [valueAfter(words, 'dst'), valueAfter(words, 'dev')];
  const [port, vni] = [valueAfter(words, 'port'), valueAfter(words, 'vni')];
  const overrides = { ...(port && { port: Number(port) }), ...(vni && { vni: Number(vni) }) };
  return {
    what: 'fdb',
    mac,
    destination: parseAddress(destination),
    link,
    ...((port || vni) && { overrides }),
  };
}

function addressOf(words: string[]): KernelThing {
  const held = parseInterfaceAddress(words.shift() ?? '');
  return { what: 'address', ...held, link: valueAfter(words, 'dev') ?? '' };
}

function routeOf(words: string[]): KernelThing {
  const type = ROUTE_TYPES.find((name) => taken(words, name)) ?? 'unicast';
  const destination: Prefix = parsePrefix(words.shift() ?? '');
  const [via, link, source] = [valueAfter(words, 'via'), valueAfter(words, 'dev'), valueAfter(words, 'src')];
  const number = (name: string, names: Readonly<Record<string, number>>, usual: number) => {
    const text = valueAfter(words, name);
    return text === undefined ? usual : (names[text] ?? Number(text));
  };
  const onlink = taken(words, 'onlink');
  return {
    what: 'route',
    type,
    destination,
    onlink,
    table: number('table', TABLES, 254),
    tos: number('tos', {}, 0),
    metric: number('metric', {}, 0),
    protocol: number('proto', PROTOCOLS, 3),
    scope: (valueAfter(words, 'scope') ?? 'global') as NetlinkRoute['scope'],
    ...(via !== undefined && { via: parseAddress(via) }),
    ...(link !== undefined && { link }),
    ...(source !== undefined && { preferredSource: parseAddress(source) }),
  };
}

function sysctlOf(words: string[]): KernelThing {
  const [name = '', , value = ''] = words.splice(0, 3);
  return { what: 'sysctl', name, value };
}

function taken(words: string[], word: string): boolean {
  const at = words.indexOf(word);
  if (at >= 0) words.splice(at, 1);
  return at >= 0;
}

function valueAfter(words: string[], word: string): string | undefined {
  const at = words.indexOf(word);
  return at < 0 ? undefined : words.splice(at, 2)[1];
}
