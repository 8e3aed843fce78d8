/** A packet's way through the tables of nft that iptables does not keep, as `nft --json list ruleset` prints them (libnftables-json(5)). */
import { type Address, tryParseAddress, tryParsePrefix } from '../address.js';
import {
  type Answer,
  all,
  type FirewallDrop,
  isIn,
  isNamed,
  type KnownPacket,
  type NftListing,
} from './packet-way.js';

type Json = { readonly [key: string]: unknown };

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly prio?: number;
  readonly policy?: string;
}

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr: readonly Json[];
}

/** Undefined when the packet passes, as far as the rules tell. */
export function nftDrop(listing: NftListing, packet: KnownPacket): FirewallDrop | undefined {
  const chains = listing.flatMap(({ chain }) => (chain === undefined ? [] : [chain as Chain]));
  const rules = listing.flatMap(({ rule }) => (rule === undefined ? [] : [rule as Rule]));
  const bases = chains
    .filter(({ family, hook }) => hook === packet.hook && ['ip', 'inet'].includes(family))
    .filter((chain) => !isOfIptables(chain))
    .sort((left, right) => (left.prio ?? 0) - (right.prio ?? 0));
  // What one chain accepts, the next may still drop.
  for (const chain of bases) {
    const drop = dropIn(chain, chains, rules, packet);
    if (drop !== undefined) return drop;
  }
  return undefined;
}

/** iptables over nf_tables shows its rules as nft's too: they are read from iptables-save. */
function isOfIptables({ table, name }: Chain): boolean {
  return table === 'filter' && /^(INPUT|OUTPUT|FORWARD)$/.test(name);
}

function dropIn(
  base: Chain,
  chains: readonly Chain[],
  rules: readonly Rule[],
  packet: KnownPacket,
): FirewallDrop | undefined {
  const { family, table, name } = base;
  const where = { program: 'nft' as const, family, table, chain: name };
  const isHere = (other: { readonly family: string; readonly table: string }) =>
    other.family === family && other.table === table;

  function follow(chain: string): { readonly drop: string } | 'accept' | undefined {
    for (const { expr } of rules.filter((rule) => isHere(rule) && rule.chain === chain)) {
      if (all(expr.map((part) => answerOf(part, packet))) !== true) continue;
      for (const part of expr) {
        if ('accept' in part) return 'accept';
        if ('drop' in part || 'reject' in part) return { drop: textOf(expr) };
        if ('return' in part) return undefined;
        const next = (part.jump ?? part.goto) as { readonly target: string } | undefined;
        if (next === undefined) continue;
        const isKnown = chains.some((other) => isHere(other) && other.name === next.target);
        const end = isKnown ? follow(next.target) : undefined;
        if (end !== undefined || 'goto' in part) return end;
      }
    }
    return undefined;
  }

  const end = follow(name);
  if (end === 'accept') return undefined;
  if (end !== undefined) return { rule: `nft ${family} ${table}: ${end.drop}`, base: where };
  if (base.policy !== 'drop') return undefined;
  return { rule: `nft ${family} ${table}: policy drop of ${name}`, base: where };
}

/** Statements that are no question hold. */
function answerOf(part: Json, packet: KnownPacket): Answer {
  if ('match' in part) {
    const { op, left, right } = part.match as Json;
    const answer = matchOf(left as Json, right, packet);
    if (answer === undefined) return undefined;
    return op === '!=' ? !answer : op === '==' || op === 'in' ? answer : undefined;
  }
  // A verdict map, a limit or a match of iptables' own asks for something too.
  return Object.keys(part).some((key) => STATEMENTS.has(key)) ? true : undefined;
}

const STATEMENTS = new Set(['accept', 'drop', 'reject', 'return', 'jump', 'goto', 'counter', 'log']);

function matchOf(left: Json, right: unknown, packet: KnownPacket): Answer {
  const { key } = (left.meta ?? left.ct ?? {}) as Json;
  if ('ct' in left) return key === 'state' ? words(right).includes('new') : undefined;
  switch (key) {
    case 'iifname':
    case 'iif':
      return words(right).some((name) => isNamed(name, packet.in));
    case 'oifname':
    case 'oif':
      return words(right).some((name) => isNamed(name, packet.out));
    case 'l4proto':
      return words(right).includes(packet.protocol);
    case 'nfproto':
      return words(right).includes('ipv4');
  }
  const { protocol, field } = (left.payload ?? {}) as Json;
  if (protocol === 'ip' && field === 'protocol') return words(right).includes(packet.protocol);
  if (protocol === 'ip' && (field === 'saddr' || field === 'daddr'))
    return holds(right, field === 'saddr' ? packet.source : packet.destination);
  if (protocol === 'udp' || protocol === 'tcp' || protocol === 'th') {
    if (protocol !== 'th' && protocol !== packet.protocol) return false;
    return field === 'dport' ? holdsPort(right, packet.port) : undefined;
  }
  return undefined;
}

function members(right: unknown): readonly unknown[] {
  if (Array.isArray(right)) return right;
  const { set } = (typeof right === 'object' && right !== null ? right : {}) as Json;
  return Array.isArray(set) ? set : [right];
}

function words(right: unknown): readonly string[] {
  return members(right).filter((member) => typeof member === 'string');
}

/** Undefined when a member cannot be read, such as the name of a set. */
function holds(right: unknown, address: Address): Answer {
  const answers = members(right).map((member): Answer => {
    if (typeof member === 'string') {
      const other = tryParseAddress(member);
      return other === undefined ? undefined : other === address;
    }
    const { prefix } = member as { readonly prefix?: { readonly addr: string; readonly len: number } };
    return prefix === undefined ? undefined : isIn(tryParsePrefix(`${prefix.addr}/${prefix.len}`), address);
  });
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

function holdsPort(right: unknown, port: number): Answer {
  const answers = members(right).map((member): Answer => {
    if (typeof member === 'number') return member === port;
    const { range } = member as { readonly range?: readonly [number, number] };
    return range === undefined ? undefined : range[0] <= port && port <= range[1];
  });
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

/** Enough of a rule to find it by. */
function textOf(expr: readonly Json[]): string {
  return expr
    .flatMap((part) => {
      if (!('match' in part)) return Object.keys(part).filter((key) => key !== 'counter');
      const { left, op, right } = part.match as Json;
      const { key, protocol, field } = ((left as Json).meta ??
        (left as Json).payload ??
        (left as Json).ct ??
        {}) as Json;
      const name = key ?? `${protocol} ${field}`;
      return [`${name} ${op === '!=' ? '!= ' : ''}${members(right).map(memberText).join(', ')}`];
    })
    .join(' ');
}

function memberText(member: unknown): string {
  if (typeof member !== 'object' || member === null) return String(member);
  const { prefix, range } = member as {
    readonly prefix?: { readonly addr: string; readonly len: number };
    readonly range?: readonly [number, number];
  };
  if (prefix !== undefined) return `${prefix.addr}/${prefix.len}`;
  return range === undefined ? '...' : `${range[0]}-${range[1]}`;
}
