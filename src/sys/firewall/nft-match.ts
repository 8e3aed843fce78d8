/** Whether a match of nft's JSON (libnftables-json(5)) may be about the datagrams between the hosts. */
import { bitsOf, tryParseAddress, tryParsePrefix } from '../../model/address.js';
import { type Answer, all, isNamed } from '../../model/doctor/packet-way.js';
import { anyOf, type End, type Facts, isBetween, isIn, isPossible, isUdp } from './datagrams.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** Of headers that such a datagram does not have: a rule that looks into them is about other packets, whatever it looks for. */
const OTHER_HEADERS = [
  'tcp',
  'sctp',
  'dccp',
  'udplite',
  'icmp',
  'icmpv6',
  'igmp',
  'ah',
  'esp',
  'comp',
  'arp',
  'ip6',
];

export function couldMatch({ op = '==', left = null, right = null }: JsonObject, facts: Facts): boolean {
  if (isOfOtherPackets(left)) return false;
  if (op === '==' || op === 'in') return isPossible(isAmong(left, right, facts), false);
  return op !== '!=' || isPossible(isAmong(left, right, facts), true);
}

function isOfOtherPackets(left: Json): boolean {
  const concat = field(left, 'concat');
  if (Array.isArray(concat)) return concat.some(isOfOtherPackets);
  return OTHER_HEADERS.includes(payloadOf(left)?.protocol ?? '');
}

function isAmong(left: Json, right: Json, facts: Facts): Answer {
  const members = field(right, 'set');
  if (Array.isArray(members)) return anyOf(members.map((member) => isAmong(left, member, facts)));
  const element = field(field(right, 'elem'), 'val');
  if (element !== undefined) return isAmong(left, element, facts);
  const [lefts, rights] = [field(left, 'concat'), field(right, 'concat')];
  if (Array.isArray(lefts) && Array.isArray(rights))
    return all(lefts.map((each, index) => isAmong(each, rights[index] ?? null, facts)));
  // What is in a named set can change without a word; `*` stands for all that is not in the set.
  if (typeof right === 'string' && /^(@|\*$)/.test(right)) return undefined;
  return isValue(left, right, facts);
}

function isValue(left: Json, right: Json, facts: Facts): Answer {
  switch (nameOf(left)) {
    case 'ip saddr':
      return isAddress(right, facts.source);
    case 'ip daddr':
      return isAddress(right, facts.destination);
    case 'udp sport':
    case 'th sport':
      return isPort(right, facts.source);
    case 'udp dport':
    case 'th dport':
      return isPort(right, facts.destination);
    case 'ip protocol':
    case 'meta l4proto':
      return typeof right === 'string' || typeof right === 'number' ? isUdp(right) : undefined;
    case 'meta nfproto':
      return typeof right === 'string' ? right === 'ipv4' : undefined;
    case 'meta protocol':
    case 'ether type':
      return typeof right === 'string' ? right === 'ip' : undefined;
    case 'meta iif':
    case 'meta iifname':
      return isLink(right, facts.inLink);
    case 'meta oif':
    case 'meta oifname':
      return isLink(right, facts.outLink);
    default:
      return undefined;
  }
}

/** `udp dport`, `meta iifname`; empty of what is neither a header's field nor about the packet. */
function nameOf(left: Json): string {
  const payload = payloadOf(left);
  if (payload !== undefined) return `${payload.protocol} ${payload.field}`;
  const key = field(field(left, 'meta'), 'key');
  return typeof key === 'string' ? `meta ${key}` : '';
}

/** Undefined as well of headers inside a tunnel's, and of places without a name. */
function payloadOf(left: Json): { readonly protocol: string; readonly field: string } | undefined {
  const payload = field(left, 'payload');
  const [protocol, name] = [field(payload, 'protocol'), field(payload, 'field')];
  if (typeof protocol !== 'string' || typeof name !== 'string') return undefined;
  return field(payload, 'tunnel') === undefined ? { protocol, field: name } : undefined;
}

function isAddress(right: Json, end: End | undefined): Answer {
  if (typeof right === 'string') return isIn(tryParsePrefix(`${right}/32`), end);
  const prefix = field(right, 'prefix');
  if (prefix !== undefined)
    return isIn(tryParsePrefix(`${field(prefix, 'addr')}/${field(prefix, 'len')}`), end);
  const [first, last] = rangeOf(right).map((each) => tryParseAddress(String(each)));
  if (first === undefined || last === undefined || end === undefined) return undefined;
  return bitsOf(first) <= bitsOf(end.address) && bitsOf(end.address) <= bitsOf(last);
}

function isPort(right: Json, end: End | undefined): Answer {
  const [first, last] = typeof right === 'number' ? [right, right] : rangeOf(right);
  if (typeof first !== 'number' || typeof last !== 'number') return undefined;
  return isBetween(first, last, end);
}

function isLink(right: Json, link: string): Answer {
  // A link that is gone has only its number left.
  if (typeof right !== 'string') return undefined;
  return isNamed(right, link);
}

function rangeOf(value: Json): readonly Json[] {
  const range = field(value, 'range');
  return Array.isArray(range) ? range : [];
}

/** Undefined when there is no such field, or no object. */
export function field(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)[name]
    : undefined;
}
