/**
 * The datagrams between the hosts, as rules see them. Of each, one end is ours and known, and the other is that of any host: what a
 * rule asks for is true of them, false, or undefined where that depends.
 */
import { type Address, contains, type Prefix } from '../../model/address.js';
import type { Answer } from '../../model/doctor/packet-way.js';

export interface Datagrams {
  /** IPv4, of this host: the source of what goes out, and the destination of what comes in. */
  readonly address: Address;
  /** UDP, at the same end. */
  readonly port: number;
  /** Has the address. */
  readonly link: string;
}

export interface End {
  readonly address: Address;
  readonly port: number;
}

/** Those that go one way. */
export interface Facts {
  /** Undefined when it is that of another host. */
  readonly source: End | undefined;
  readonly destination: End | undefined;
  /** Empty where there is none, as before routing. */
  readonly inLink: string;
  readonly outLink: string;
}

export function incoming({ address, port, link }: Datagrams): Facts {
  return { source: undefined, destination: { address, port }, inLink: link, outLink: '' };
}

export function outgoing({ address, port, link }: Datagrams): Facts {
  return { source: { address, port }, destination: undefined, inLink: '', outLink: link };
}

export function isIn(prefix: Prefix | undefined, end: End | undefined): Answer {
  return prefix && end && contains(prefix, end.address);
}

/** `first` and `last` are ports; NaN when they cannot be read. */
export function isBetween(first: number, last: number, end: End | undefined): Answer {
  if (end === undefined || Number.isNaN(first + last)) return undefined;
  return first <= end.port && end.port <= last;
}

/** By name or number (/etc/protocols). */
export function isUdp(protocol: string | number): boolean {
  return protocol === 'udp' || Number(protocol) === 17;
}

export function anyOf(answers: readonly Answer[]): Answer {
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

export function isPossible(answer: Answer, isNegated: boolean): boolean {
  return answer !== isNegated;
}

/** What a rule does to those datagrams that it is about. */
export interface Step {
  /** For whoever looks for it. */
  readonly rule: string;
  readonly isHarmless: boolean;
  /** Chains that they may go on to. */
  readonly goesTo: readonly string[];
}

/** The first rule that is not harmless, among those of the chain `from` and of all that it leads to. */
export function firstHarm(stepsOf: (chain: string) => readonly Step[], from: string): string | undefined {
  const seen = new Set<string>();
  const follow = (chain: string): string | undefined => {
    if (seen.has(chain)) return undefined;
    seen.add(chain);
    for (const { rule, isHarmless, goesTo } of stepsOf(chain)) {
      if (!isHarmless) return rule;
      for (const next of goesTo) {
        const found = follow(next);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return follow(from);
}
