/** A rule of nft's JSON in the words of nft, for whoever looks for it: shortened where it says more than most do. */
import { field, type Json, type JsonObject } from './nft-match.js';

/** Counters are left out: their numbers move. */
export function ruleText(statements: readonly JsonObject[]): string {
  return statements
    .flatMap((statement) => Object.entries(statement))
    .filter(([kind]) => kind !== 'counter')
    .map(([kind, value]) => statementText(kind, value))
    .join(' ');
}

function statementText(kind: string, value: Json): string {
  switch (kind) {
    case 'match': {
      const op = String(field(value, 'op'));
      const shown = op === '==' || op === 'in' ? [] : [op];
      return [expression(field(value, 'left')), ...shown, expression(field(value, 'right'))].join(' ');
    }
    case 'vmap':
      return `${expression(field(value, 'key'))} vmap ${expression(field(value, 'data'))}`;
    case 'jump':
    case 'goto':
      return `${kind} ${field(value, 'target')}`;
    case 'mangle':
      return `${expression(field(value, 'key'))} set ${expression(field(value, 'value'))}`;
    case 'xt':
      return `xt ${field(value, 'type') ?? ''} ${field(value, 'name') ?? ''}`.trim();
    default:
      return kind;
  }
}

function expression(value: Json | undefined): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return value.map(expression).join(',');
  const [kind = '', inner = null] = Object.entries(value)[0] ?? [];
  switch (kind) {
    case 'payload':
      return `${field(inner, 'protocol')} ${field(inner, 'field')}`;
    case 'meta':
    case 'ct':
      return `${kind} ${field(inner, 'key')}`.replace(/^meta (?=[io]if)/, '');
    case 'fib':
      return `fib ${expression(field(inner, 'flags'))} ${field(inner, 'result')}`;
    case 'prefix':
      return `${field(inner, 'addr')}/${field(inner, 'len')}`;
    case 'range':
      return (inner as readonly Json[]).map(expression).join('-');
    case 'concat':
      return (inner as readonly Json[]).map(expression).join(' . ');
    case 'elem':
      return expression(field(inner, 'val'));
    case 'set':
      return `{ ${(inner as readonly Json[]).map(member).join(', ')} }`;
    default:
      return kind;
  }
}

/** Of a map it is a key with a verdict. */
function member(value: Json): string {
  if (!Array.isArray(value)) return expression(value);
  const [key = null, verdict = null] = value as readonly Json[];
  return `${expression(key)} : ${ruleText([verdict as JsonObject])}`;
}
