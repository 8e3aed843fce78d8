/**
 * What becomes of packets that the rules of iptables are followed with, as far as that can be told from the rules alone.
 * Only the ways are known by which a packet comes and goes, not the packet: a rule that asks for more decides nothing.
 */
import { contains, overlaps, type Prefix, tryParsePrefix } from '../../model/address.js';
import { words } from './iptables-chain.js';
import type { SavedTable } from './saved-tables.js';

export interface Way {
  readonly in: string;
  /** Absent before routing. */
  readonly out?: string;
  /** The packets go to addresses in it. */
  readonly to: Prefix;
}

/** A rule by which some or all packets on the way are dropped. */
export interface Drop {
  readonly chain: string;
  readonly rule: string;
}

/** In the order in which the packets meet them. */
export function dropsOnWay(chains: SavedTable, from: string, way: Way): readonly Drop[] {
  const drops: Drop[] = [];
  const accepted: Prefix[] = [];

  /** True when no packet on the way comes out of the chain again. */
  function follow(chain: string): boolean {
    for (const rule of chains.get(chain)?.rules ?? []) {
      const { target, goesTo, share, to, asksMore, asksForPort } = readRule(rule, way);
      if (share === 'none') continue;
      const isAll = share === 'all' && !asksMore && !asksForPort;
      if (goesTo !== undefined && chains.has(goesTo)) {
        // Into another chain they may go, whatever else is asked: Docker 28.0 asks an ipset which bridges are its own.
        const isEnd = follow(goesTo);
        if (isEnd && isAll) return true;
        if (isGoto(rule) && isAll) return false;
      } else if (target === 'RETURN' && isAll) return false;
      else if (target === 'ACCEPT' && !asksMore && !asksForPort) {
        if (isAll) return true;
        accepted.push(to);
      } else if ((target === 'DROP' || target === 'REJECT') && !asksMore) {
        if (accepted.some((prefix) => contains(prefix, to))) continue;
        drops.push({ chain, rule });
        if (isAll) return true;
      }
    }
    return false;
  }

  follow(from);
  return drops;
}

interface ReadRule {
  readonly target?: string;
  readonly goesTo?: string;
  /** Which of the packets on the way it is about, as far as it asks for the way. */
  readonly share: 'all' | 'some' | 'none';
  /** Where those go. */
  readonly to: Prefix;
  readonly asksForPort: boolean;
  /** It asks for something that is not known here: a state, a mark, a set, a source. */
  readonly asksMore: boolean;
}

const PORT_WORDS = /^(-p|--protocol|-m|tcp|udp|sctp|--dport|--sport|--dports|--sports|multiport|\d[\d:,]*)$/;

function readRule(rule: string, way: Way): ReadRule {
  const [, , ...parts] = words(rule);
  let share: ReadRule['share'] = 'all';
  let to = way.to;
  let [asksForPort, asksMore, negated] = [false, false, false];
  let target: string | undefined;
  const narrow = (next: ReadRule['share']) => {
    if (next === 'none' || share === 'none') share = 'none';
    else if (next === 'some') share = 'some';
  };
  while (parts.length > 0) {
    const part = parts.shift() ?? '';
    if (part === '!') {
      negated = true;
      continue;
    }
    if (part === '-j' || part === '-g') {
      target = parts.shift();
      break;
    }
    if (part === '-i' || part === '-o') {
      const [name, actual] = [parts.shift() ?? '', part === '-i' ? way.in : way.out];
      if (isNamed(name, actual) === negated) narrow('none');
    } else if (part === '-d') {
      const prefix = tryParsePrefix(parts.shift() ?? '');
      const covers = prefix === undefined ? 'some' : shareOf(prefix, way.to);
      if (prefix === undefined || (negated && covers === 'some')) asksMore = true;
      else if (negated) narrow(covers === 'all' ? 'none' : 'all');
      else {
        narrow(covers);
        if (covers === 'some') to = prefix;
      }
    } else if (part === '-m' && parts[0] === 'comment') parts.splice(0, 3);
    else if (PORT_WORDS.test(part)) asksForPort = true;
    else asksMore = true;
    negated = false;
  }
  return {
    ...(target !== undefined && { target, goesTo: target }),
    share,
    to,
    asksForPort,
    asksMore,
  };
}

function shareOf(prefix: Prefix, to: Prefix): 'all' | 'some' | 'none' {
  if (contains(prefix, to)) return 'all';
  return overlaps(prefix, to) ? 'some' : 'none';
}

function isGoto(rule: string): boolean {
  return words(rule).includes('-g');
}

/** `+` at the end of a name stands for anything (iptables(8), -i). */
function isNamed(pattern: string, name: string | undefined): boolean {
  if (name === undefined) return false;
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
