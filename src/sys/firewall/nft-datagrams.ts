/** Which rule of nft could do something to the datagrams between the hosts: read from nft's JSON (libnftables-json(5)). */
import { isNamed } from '../../model/doctor/packet-way.js';
import { type Datagrams, type Facts, firstHarm, incoming, outgoing, type Step } from './datagrams.js';
import { couldMatch, field, type Json, type JsonObject } from './nft-match.js';
import { ruleText } from './nft-text.js';

export interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
}

interface BaseChain extends NftChain {
  readonly type?: string;
  readonly hook?: string;
  readonly policy?: string;
  /** Where it hooks into links; not told by nft 1.0.6. */
  readonly dev?: string | readonly string[];
}

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr: readonly JsonObject[];
}

interface VerdictMap extends NftChain {
  readonly elem?: readonly Json[];
}

type Listed = { readonly chain?: BaseChain; readonly rule?: Rule; readonly map?: VerdictMap };

const FAMILIES = ['ip', 'inet', 'netdev'];
const TYPES = ['filter', 'route', 'nat'];
/** Not `forward`, which is for the packets in them. */
const HOOKS: ReadonlyMap<string | undefined, (datagrams: Datagrams) => Facts> = new Map([
  ['prerouting', incoming],
  ['input', incoming],
  ['ingress', incoming],
  ['output', outgoing],
  ['postrouting', outgoing],
  ['egress', outgoing],
]);

/**
 * Family, table, chain and rule: `inet filter input udp dport 8285 drop`. `isJudged` says which chains somebody else answers for.
 * Throws SyntaxError or TypeError when `listing` is no listing of nft's.
 */
export function nftHarm(
  listing: string,
  datagrams: Datagrams,
  isJudged: (chain: NftChain) => boolean,
): string | undefined {
  const { nftables } = JSON.parse(listing) as { readonly nftables: readonly Listed[] };
  const ruleset = rulesetOf(nftables);
  for (const { chain } of nftables) {
    if (chain === undefined || isJudged(chain) || !isOnWay(chain, datagrams)) continue;
    const facts = HOOKS.get(chain.hook)?.(datagrams);
    const harm = facts && harmIn(chain, ruleset, facts);
    if (harm !== undefined) return `${chain.family} ${chain.table} ${harm}`;
  }
  return undefined;
}

function isOnWay({ family, type = '', dev = [] }: BaseChain, { link }: Datagrams): boolean {
  const links = [dev].flat();
  const isOfLink = links.length === 0 || links.some((each) => isNamed(each, link));
  return FAMILIES.includes(family) && TYPES.includes(type) && isOfLink;
}

/** By family, table and name. */
interface Ruleset {
  readonly rules: ReadonlyMap<string, readonly Rule[]>;
  readonly maps: ReadonlyMap<string, VerdictMap>;
}

function rulesetOf(objects: readonly Listed[]): Ruleset {
  const rules = new Map<string, Rule[]>();
  const maps = new Map<string, VerdictMap>();
  for (const { rule, map } of objects) {
    if (map !== undefined) maps.set(`${map.family} ${map.table} ${map.name}`, map);
    if (rule === undefined) continue;
    const place = `${rule.family} ${rule.table} ${rule.chain}`;
    const before = rules.get(place);
    if (before === undefined) rules.set(place, [rule]);
    else before.push(rule);
  }
  return { rules, maps };
}

function harmIn(
  { family, table, name, policy, type }: BaseChain,
  ruleset: Ruleset,
  facts: Facts,
): string | undefined {
  if (policy === 'drop') return `${name} policy drop`;
  const at = `${family} ${table}`;
  const stepsOf = (chain: string) =>
    (ruleset.rules.get(`${at} ${chain}`) ?? []).map(({ expr }): Step => {
      const mapNamed = (map: string) => ruleset.maps.get(`${at} ${map}`)?.elem;
      const { isHarmless, goesTo } = effectOf(
        expr,
        facts,
        type === 'nat' ? HARMLESS_NAT : HARMLESS,
        mapNamed,
      );
      return { rule: `${chain} ${ruleText(expr)}`, isHarmless, goesTo };
    });
  return firstHarm(stepsOf, name);
}

type Effect = Omit<Step, 'rule'>;

/** `mapNamed` gives the elements of a map, each a key and a verdict. */
function effectOf(
  statements: readonly JsonObject[],
  facts: Facts,
  harmless: readonly string[],
  mapNamed: (name: string) => readonly Json[] | undefined,
): Effect {
  const goesTo: string[] = [];
  for (const [kind, value] of statements.flatMap((statement) => Object.entries(statement))) {
    // What stands before a match is done to others too.
    if (kind === 'match' && !couldMatch(value as JsonObject, facts)) break;
    const effect =
      kind === 'vmap' ? effectOfMap(value, facts, harmless, mapNamed) : effectOfOne(kind, value, harmless);
    if (!effect.isHarmless) return effect;
    goesTo.push(...effect.goesTo);
  }
  return { isHarmless: true, goesTo };
}

const HARMLESS = ['match', 'counter', 'limit', 'accept', 'return', 'continue'];
/** As for iptables: what is translated does not get to the loop either, but for a source that other hosts know us by (snat). */
const HARMLESS_NAT = [...HARMLESS, 'dnat', 'redirect', 'masquerade', 'mangle', 'log', 'ct'];

function effectOfOne(kind: string, value: Json, harmless: readonly string[]): Effect {
  const target = field(value, 'target');
  if ((kind === 'jump' || kind === 'goto') && typeof target === 'string')
    return { isHarmless: true, goesTo: [target] };
  // Of iptables' own matches and targets nft knows the names alone.
  const isMatch = kind === 'xt' && field(value, 'type') === 'match';
  return { isHarmless: isMatch || harmless.includes(kind), goesTo: [] };
}

function effectOfMap(
  value: Json,
  facts: Facts,
  harmless: readonly string[],
  mapNamed: (name: string) => readonly Json[] | undefined,
): Effect {
  const [key = null, data] = [field(value, 'key'), field(value, 'data')];
  const elements = typeof data === 'string' ? mapNamed(data.replace(/^@/, '')) : field(data, 'set');
  if (!Array.isArray(elements)) return { isHarmless: false, goesTo: [] };
  const effects = (elements as readonly (readonly Json[])[])
    .filter(([element = null]) => couldMatch({ left: key, right: element }, facts))
    .flatMap(([, verdict = null]) => Object.entries(verdict as JsonObject))
    .map(([kind, detail]) => effectOfOne(kind, detail, harmless));
  return {
    isHarmless: effects.every(({ isHarmless }) => isHarmless),
    goesTo: effects.flatMap(({ goesTo }) => goesTo),
  };
}
