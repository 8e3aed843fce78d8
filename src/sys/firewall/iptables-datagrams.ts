/** Which rule of iptables could do something to the datagrams between the hosts. */
import { tryParsePrefix } from '../../model/address.js';
import { type Answer, isNamed } from '../../model/doctor/packet-way.js';
import {
  anyOf,
  type Datagrams,
  type End,
  type Facts,
  firstHarm,
  incoming,
  isBetween,
  isIn,
  isPossible,
  isUdp,
  outgoing,
  type Step,
} from './datagrams.js';
import { words } from './iptables-chain.js';
import type { SavedTable, SavedTables } from './saved-tables.js';

/** FORWARD is for the packets in them. */
const WAYS = [
  ['PREROUTING', incoming],
  ['INPUT', incoming],
  ['OUTPUT', outgoing],
  ['POSTROUTING', outgoing],
] as const;

/** As the arguments of iptables: `-t raw -A PREROUTING -p udp -j DROP`. */
export function iptablesHarm(tables: SavedTables, datagrams: Datagrams): string | undefined {
  for (const [name, table] of tables) {
    for (const [chain, factsOf] of WAYS) {
      const harm = harmIn(
        table,
        chain,
        factsOf(datagrams),
        name === 'nat' ? isHarmlessTranslation : isHarmlessTarget,
      );
      if (harm !== undefined) return `-t ${name} ${harm}`;
    }
  }
  return undefined;
}

const isHarmlessTarget = (target: string) => target === 'ACCEPT' || target === 'RETURN';

/**
 * Datagrams to another address or port do not get to the loop either, and the address of the link is ours. But one may have them come
 * from an address that other hosts know us by.
 */
const isHarmlessTranslation = (target: string) => target !== 'SNAT' && target !== 'NETMAP';

function harmIn(
  table: SavedTable,
  chain: string,
  facts: Facts,
  isHarmless: (target: string) => boolean,
): string | undefined {
  if (table.get(chain)?.policy === 'DROP') return `-P ${chain} DROP`;
  const stepsOf = (name: string) =>
    (table.get(name)?.rules ?? []).flatMap((rule) => stepOf(rule, table, facts, isHarmless) ?? []);
  return firstHarm(stepsOf, chain);
}

/** They ask, and remember nothing; others such as `recent` do something by asking. */
const ASKING_MATCHES = ['comment', 'udp', 'tcp', 'multiport'];

/** Undefined when the rule is not about the datagrams. */
function stepOf(
  rule: string,
  table: SavedTable,
  facts: Facts,
  isHarmless: (target: string) => boolean,
): Step | undefined {
  const [, , ...parts] = words(rule);
  let isNegated = false;
  let isAskingOnly = true;
  while (parts.length > 0) {
    const part = parts.shift() ?? '';
    if (part === '!') {
      isNegated = true;
      continue;
    }
    if (part === '-j' || part === '-g') {
      const target = parts[0] ?? '';
      const isChain = table.has(target);
      return { rule, isHarmless: isChain || isHarmless(target), goesTo: isChain ? [target] : [] };
    }
    const ask = QUESTIONS.get(part);
    if (ask !== undefined) {
      if (!isPossible(ask(parts.shift() ?? '', facts), isNegated)) return undefined;
    } else if (part === '-m') {
      const match = parts.shift() ?? '';
      if (!ASKING_MATCHES.includes(match)) isAskingOnly = false;
      if (match === 'comment') parts.splice(0, 2);
    }
    isNegated = false;
  }
  return { rule, isHarmless: isAskingOnly, goesTo: [] };
}

const sourcePorts = (value: string, { source }: Facts) => isAmong(value, source);
const destinationPorts = (value: string, { destination }: Facts) => isAmong(value, destination);

/** Whatever else a rule asks for may be so or not. */
const QUESTIONS: ReadonlyMap<string, (value: string, facts: Facts) => Answer> = new Map([
  ['-s', (value: string, { source }: Facts) => isIn(tryParsePrefix(value), source)],
  ['-d', (value: string, { destination }: Facts) => isIn(tryParsePrefix(value), destination)],
  ['-i', (value: string, { inLink }: Facts) => isNamed(value, inLink)],
  ['-o', (value: string, { outLink }: Facts) => isNamed(value, outLink)],
  ['-p', (value: string) => value === 'all' || isUdp(value)],
  ['--sport', sourcePorts],
  ['--sports', sourcePorts],
  ['--dport', destinationPorts],
  ['--dports', destinationPorts],
]);

/** `ports` as in `53`, `67:68` or `53,67:68`. */
function isAmong(ports: string, end: End | undefined): Answer {
  return anyOf(
    ports.split(',').map((range) => {
      const [first = '', last = first] = range.split(':');
      return isBetween(Number.parseInt(first, 10), Number.parseInt(last, 10), end);
    }),
  );
}
