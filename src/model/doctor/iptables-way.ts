/** A packet's way through the filter table of iptables, as `iptables-save` prints it. */
import { tryParsePrefix } from '../address.js';
import { type Answer, all, type FirewallDrop, isIn, isNamed, type KnownPacket } from './packet-way.js';

const CHAIN = { input: 'INPUT', output: 'OUTPUT', forward: 'FORWARD' } as const;

interface FilterTable {
  /** Of the chains that hooks begin with. */
  readonly policies: ReadonlyMap<string, string>;
  readonly rules: ReadonlyMap<string, readonly string[]>;
}

/** Undefined when the packet passes, as far as the rules tell. */
export function iptablesDrop(program: string, saved: string, packet: KnownPacket): FirewallDrop | undefined {
  const { policies, rules } = filterTable(saved);
  const chain = CHAIN[packet.hook];
  const base = { program, chain };

  function follow(name: string): { readonly drop: string } | 'accept' | undefined {
    for (const rule of rules.get(name) ?? []) {
      const { matches, target, isGoto } = readRule(rule, packet);
      if (matches !== true || target === undefined) continue;
      if (target === 'ACCEPT') return 'accept';
      if (target === 'DROP' || target === 'REJECT') return { drop: rule };
      if (target === 'RETURN') return undefined;
      const end = rules.has(target) ? follow(target) : undefined;
      if (end !== undefined || isGoto) return end;
    }
    return undefined;
  }

  const end = follow(chain);
  if (end === 'accept') return undefined;
  if (end !== undefined) return { rule: `${program} ${end.drop}`, base };
  return policies.get(chain) === 'DROP' ? { rule: `${program} policy DROP of ${chain}`, base } : undefined;
}

function filterTable(saved: string): FilterTable {
  const policies = new Map<string, string>();
  const rules = new Map<string, string[]>();
  let isFilter = false;
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) isFilter = line === '*filter';
    else if (isFilter && line.startsWith(':')) {
      const [name = '', policy = ''] = line.slice(1).split(' ');
      policies.set(name, policy);
      rules.set(name, []);
    } else if (isFilter && line.startsWith('-A ')) rules.get(line.split(' ')[1] ?? '')?.push(line);
  }
  return { policies, rules };
}

function readRule(
  rule: string,
  packet: KnownPacket,
): { readonly matches: Answer; readonly target?: string; readonly isGoto: boolean } {
  const [, , ...parts] = rule.match(/"(?:\\.|[^"])*"|\S+/g) ?? [];
  const answers: Answer[] = [];
  let negated = false;
  while (parts.length > 0) {
    const flag = parts.shift() ?? '';
    if (flag === '!') {
      negated = true;
      continue;
    }
    if (flag === '-j' || flag === '-g')
      return { matches: all(answers), target: parts[0] ?? '', isGoto: flag === '-g' };
    const answer = matchOf(flag, parts.shift() ?? '', packet);
    if (answer !== 'no match') answers.push(negated && answer !== undefined ? !answer : answer);
    negated = false;
  }
  return { matches: all(answers), isGoto: false };
}

function matchOf(flag: string, value: string, packet: KnownPacket): Answer | 'no match' {
  switch (flag) {
    case '-s':
      return isIn(tryParsePrefix(value), packet.source);
    case '-d':
      return isIn(tryParsePrefix(value), packet.destination);
    case '-i':
      return isNamed(value, packet.in);
    case '-o':
      return isNamed(value, packet.out);
    case '-p':
      return value === packet.protocol;
    case '--dport':
    case '--dports':
      return value.split(',').some((range) => isInRange(range, packet.port));
    case '--state':
    case '--ctstate':
      return value.split(',').includes('NEW');
    // They say what the next words are about.
    case '-m':
    case '--comment':
      return 'no match';
    default:
      return undefined;
  }
}

function isInRange(range: string, port: number): boolean {
  const [first = '0', last = first] = range.split(':');
  return Number(first) <= port && port <= Number(last);
}
