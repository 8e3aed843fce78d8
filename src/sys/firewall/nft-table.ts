/**
 * A masquerade table in nft's JSON (libnftables-json(5)), to and fro. Written in the spelling in which nft prints
 * it, so that what was written reads back equal; whatever cannot be read as a rule of ours is kept as text.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  baseOf,
  FAMILY_BITS,
  type Family,
  lengthOf,
  type Prefix,
  tryParsePrefix,
} from '../../model/address.js';
import type { MasqueradeState, NatRule } from '../../model/objects.js';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

/** nft's names of the families. */
export const NFT_FAMILY = { ipv4: 'ip', ipv6: 'ip6' } as const satisfies Record<Family, string>;

const CHAIN = 'postrouting';
// As a number: a chain whose priority is given as "srcnat" is made without type and hook, and without a word.
const SOURCE_NAT_PRIORITY = 100;
const WHOLE_MARK = 0xffffffff;

const MARK = { meta: { key: 'mark' } };
const RETURN = { return: null };
const MASQUERADE = { masquerade: null };
const MASQUERADE_RANDOMLY = { masquerade: { flags: 'fully-random' } };

/**
 * Replaces the whole table, absent or present. With `fullyRandom` each masqueraded connection gets a random port:
 * of two that begin at the same moment and were given the same one, one would lose its first packet.
 */
export function replacement({ family, table, rules }: MasqueradeState, fullyRandom: boolean): string {
  const at = { family: NFT_FAMILY[family], table, chain: CHAIN };
  const commands: readonly Json[] = [
    ...removeCommands(family, table),
    { add: { table: tableObject(family, table) } },
    { add: { chain: chainObject(family, table) } },
    ...rules.map((rule) => ({ add: { rule: { ...at, expr: statements(rule, family, fullyRandom) } } })),
  ];
  return JSON.stringify({ nftables: commands });
}

/** Removes the table, absent or present. */
export function removal(family: Family, table: string): string {
  return JSON.stringify({ nftables: removeCommands(family, table) });
}

// nft 1.0.6 has no "destroy": an absent table is made to be deleted.
function removeCommands(family: Family, table: string): readonly Json[] {
  const object = { table: tableObject(family, table) };
  return [{ add: object }, { delete: object }];
}

function tableObject(family: Family, table: string): JsonObject {
  return { family: NFT_FAMILY[family], name: table };
}

function chainObject(family: Family, table: string): JsonObject {
  return {
    family: NFT_FAMILY[family],
    table,
    name: CHAIN,
    type: 'nat',
    hook: 'postrouting',
    prio: SOURCE_NAT_PRIORITY,
    policy: 'accept',
  };
}

function statements(rule: NatRule, family: Family, fullyRandom: boolean): readonly Json[] {
  const { source, destination, mark, verdict } = rule;
  return [
    ...(mark === undefined ? [] : [markMatch(mark)]),
    ...(source === undefined ? [] : [prefixMatch('saddr', source, family)]),
    ...(destination === undefined ? [] : [prefixMatch('daddr', destination, family)]),
    verdict === 'return' ? RETURN : fullyRandom ? MASQUERADE_RANDOMLY : MASQUERADE,
  ];
}

// nft prints a mask of the highest bits alone as a prefix; no rule of ours has one, so that is not read.
function markMatch({ value, mask }: NonNullable<NatRule['mark']>): JsonObject {
  const left = mask === WHOLE_MARK ? MARK : { '&': [MARK, mask] };
  return { match: { op: '==', left, right: value } };
}

function prefixMatch(field: AddressField, { prefix, negated }: PrefixMatch, family: Family): JsonObject {
  const left = addressExpression(field, family);
  return { match: { op: negated ? '!=' : '==', left, right: prefixValue(prefix, family) } };
}

type AddressField = 'saddr' | 'daddr';
type PrefixMatch = NonNullable<NatRule['source']>;

function addressExpression(field: AddressField, family: Family): Json {
  return { payload: { protocol: NFT_FAMILY[family], field } };
}

function prefixValue(prefix: Prefix, family: Family): Json {
  const [addr, len] = [baseOf(prefix), lengthOf(prefix)];
  return len === FAMILY_BITS[family] ? addr : { prefix: { addr, len } };
}

/** What `nft -j list table` printed without what differs from one listing to the next: handles, and the numbers of counters. */
export function copyOf(listing: string): string {
  const { nftables } = JSON.parse(listing) as { readonly nftables: readonly JsonObject[] };
  const objects = nftables.filter((entry) => !('metainfo' in entry));
  return JSON.stringify(objects, (key, value) => {
    if (key === 'handle') return undefined;
    const isCounter = key === 'counter' && typeof value === 'object' && value !== null;
    return isCounter ? { ...value, packets: 0, bytes: 0 } : value;
  });
}

/** Makes the table, absent or present, what `copy` says. */
export function restoration(family: Family, table: string, copy: string): string {
  const objects = JSON.parse(copy) as readonly JsonObject[];
  const commands = [...removeCommands(family, table), ...objects.map((object) => ({ add: object }))];
  return JSON.stringify({ nftables: commands });
}

/** Reads what `nft -j list table` printed. Throws SyntaxError or TypeError when it is no such listing. */
export function parseTable(listing: string, family: Family, table: string): MasqueradeState {
  const { nftables } = JSON.parse(listing) as { readonly nftables: readonly JsonObject[] };
  const rules: NatRule[] = [];
  const unreadable: string[] = [];
  for (const [kind, object] of nftables.flatMap((entry) => Object.entries(entry))) {
    const { handle: _, ...fields } = object as JsonObject;
    const rule = kind === 'rule' ? natRule(fields, family) : undefined;
    const isChain = kind === 'chain' && isDeepStrictEqual(fields, chainObject(family, table));
    // A table with more fields than these may be dormant: it does nothing then.
    const isTable = kind === 'table' && isDeepStrictEqual(fields, tableObject(family, table));
    if (rule !== undefined) rules.push(rule);
    else if (!isChain && !isTable && kind !== 'metainfo')
      unreadable.push(`${kind} ${JSON.stringify(fields)}`);
  }
  return { family, table, rules, unreadable };
}

/** Undefined for a rule of another chain, and for one that says more than a NatRule can. Its comment says nothing. */
function natRule({ chain, expr }: JsonObject, family: Family): NatRule | undefined {
  if (chain !== CHAIN || !Array.isArray(expr)) return undefined;
  const parts = (expr as readonly JsonObject[])
    // Counters decide nothing, and their numbers move.
    .filter((statement) => !('counter' in statement))
    .map((statement) => rulePart(statement, family));
  const rule: Partial<NatRule> = Object.assign({}, ...parts);
  // A statement that is not understood, or a second one about one thing, leaves fewer fields than statements.
  return isRule(rule) && Object.keys(rule).length === parts.length ? rule : undefined;
}

function isRule(rule: Partial<NatRule>): rule is NatRule {
  return rule.verdict !== undefined;
}

/** The one field of a rule that `statement` stands for. */
function rulePart(statement: JsonObject, family: Family): Partial<NatRule> | undefined {
  if (isDeepStrictEqual(statement, RETURN)) return { verdict: 'return' };
  if ([MASQUERADE, MASQUERADE_RANDOMLY].some((known) => isDeepStrictEqual(statement, known)))
    return { verdict: 'masquerade' };
  const { op, left, right } = (statement.match ?? {}) as JsonObject;
  if (op !== '==' && op !== '!=') return undefined;
  for (const [field, name] of [
    ['saddr', 'source'],
    ['daddr', 'destination'],
  ] as const) {
    if (!isDeepStrictEqual(left, addressExpression(field, family))) continue;
    const prefix = parsePrefixValue(right, family);
    return prefix === undefined ? undefined : { [name]: { prefix, negated: op === '!=' } };
  }
  const mask = maskOf(left);
  if (mask === undefined || typeof right !== 'number' || op !== '==') return undefined;
  return { mark: { value: right, mask } };
}

function parsePrefixValue(value: Json | undefined, family: Family): Prefix | undefined {
  // A set ("@name"), a range or a list is no prefix.
  if (typeof value === 'string') return tryParsePrefix(`${value}/${FAMILY_BITS[family]}`);
  const { addr, len } = ((value as JsonObject | undefined)?.prefix ?? {}) as JsonObject;
  return tryParsePrefix(`${addr}/${len}`);
}

function maskOf(left: Json | undefined): number | undefined {
  if (isDeepStrictEqual(left, MARK)) return WHOLE_MARK;
  const [what, mask] = ((left as JsonObject | undefined)?.['&'] ?? []) as readonly Json[];
  return isDeepStrictEqual(what, MARK) && typeof mask === 'number' ? mask : undefined;
}
