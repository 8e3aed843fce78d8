/**
 * The forward chain as text: read from what `iptables -S` prints, written for `iptables-restore --noflush`.
 * Our rules carry the comment `flannelette`; those of flanneld, whose chain has the same name, do not.
 */
import { type Family, type Prefix, tryParsePrefix } from '../../model/address.js';
import type { ForwardState } from '../../model/objects.js';
import type { FoundForward } from '../../ports.js';

const MARK = 'flannelette';
const OUR_COMMENT = ['-m', 'comment', '--comment', MARK];

/** The rules that concern a chain, each as `iptables -S` prints it. */
export interface ChainListing {
  readonly rules: readonly string[];
  /** Rules of other chains that lead into it. */
  readonly jumps: readonly string[];
}

/** Undefined when the chain is absent: then nothing can lead into it either. */
export function parseListing(listing: string, chain: string): ChainListing | undefined {
  const lines = listing.split('\n');
  if (!lines.includes(`-N ${chain}`)) return undefined;
  const rules = lines.filter((line) => line.startsWith('-A '));
  return {
    rules: rules.filter((rule) => words(rule)[1] === chain),
    jumps: rules.filter((rule) => targetOf(rule) === chain),
  };
}

export function forwardOf({ rules, jumps }: ChainListing, family: Family, chain: string): FoundForward {
  const accept: Prefix[] = [];
  const unreadable: string[] = [];
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] ?? '';
    const next = rules[index + 1] ?? '';
    const prefix = acceptedBy(rule, '-s');
    if (prefix !== undefined && prefix === acceptedBy(next, '-d')) {
      accept.push(prefix);
      index++;
    } else {
      unreadable.push(rule);
    }
  }
  const all = [...rules, ...jumps];
  return {
    state: {
      family,
      chain,
      accept,
      jump: jumps.some((rule) => isForwardJump(rule, chain)),
      unreadable,
    },
    // A chain with nothing in it and nothing that leads to it belongs to nobody: it is what a flush left.
    ours: all.length === 0 || all.some((rule) => commentOf(rule) === MARK),
  };
}

/** Input that turns what was listed into `state`, at once or not at all. */
export function replacement(state: ForwardState, listing: ChainListing | undefined): string {
  const { chain, accept } = state;
  const ourRule = (from: string, to: string, ...match: readonly string[]) =>
    ['-A', from, ...match, ...OUR_COMMENT, '-j', to].join(' ');
  const jumps = listing?.jumps.filter((rule) => isForwardJump(rule, chain)) ?? [];
  const missingJump = jumps.length > 0 ? [] : [ourRule('FORWARD', chain)];
  return transaction([
    // Makes the chain or empties it.
    `:${chain} - [0:0]`,
    ...accept.flatMap((network) => [
      ourRule(chain, 'ACCEPT', '-s', network),
      ourRule(chain, 'ACCEPT', '-d', network),
    ]),
    ...(state.jump ? missingJump : jumps.map(deletion)),
  ]);
}

/** Input that turns what is listed into what was, rule by rule; jumps that are there stay where they are. */
export function restoration(chain: string, was: ChainListing, now: ChainListing | undefined): string {
  const jumps = now?.jumps ?? [];
  return transaction([
    `:${chain} - [0:0]`,
    ...was.rules,
    ...jumps.filter((rule) => !was.jumps.includes(rule)).map(deletion),
    ...was.jumps.filter((rule) => !jumps.includes(rule)),
  ]);
}

/** Input that removes the chain and every rule that leads into it, whoever made it: it would lead nowhere. */
export function removal(chain: string, { jumps }: ChainListing, table = 'filter'): string {
  return transaction([...jumps.map(deletion), `-F ${chain}`, `-X ${chain}`], table);
}

function transaction(lines: readonly string[], table = 'filter'): string {
  return [`*${table}`, ...lines, 'COMMIT', ''].join('\n');
}

/** In iptables' own words, quotes included. */
function deletion(rule: string): string {
  return rule.replace(/^-A /, '-D ');
}

/** The network that a rule of the form `-A CHAIN -s NETWORK -j ACCEPT` accepts, whatever its comment. */
function acceptedBy(rule: string, flag: '-s' | '-d'): Prefix | undefined {
  const [, , match, prefix = '', ...action] = withoutComment(words(rule));
  return match === flag && action.join(' ') === '-j ACCEPT' ? tryParsePrefix(prefix) : undefined;
}

/** A jump on a condition lets only some packets in, and a goto does not come back. */
function isForwardJump(rule: string, chain: string): boolean {
  return withoutComment(words(rule)).join(' ') === `-A FORWARD -j ${chain}`;
}

function targetOf(rule: string): string | undefined {
  const parts = withoutComment(words(rule));
  const at = parts.findIndex((part) => part === '-j' || part === '-g');
  return at === -1 ? undefined : parts[at + 1];
}

function commentOf(rule: string): string | undefined {
  const parts = words(rule);
  const at = parts.indexOf('--comment');
  return at === -1 ? undefined : parts[at + 1];
}

function withoutComment(parts: readonly string[]): readonly string[] {
  const at = parts.indexOf('--comment');
  return at === -1 ? parts : [...parts.slice(0, at - 2), ...parts.slice(at + 2)];
}

/** iptables quotes what has blanks in it, with a backslash before quotes and backslashes (xtables_save_string). */
export function words(rule: string): readonly string[] {
  const parts = rule.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  return parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll(/\\(.)/g, '$1') : part));
}
