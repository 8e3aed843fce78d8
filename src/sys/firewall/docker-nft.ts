/** Docker's own nft tables, which Docker 29 can make in place of iptables' rules: read from nft's JSON (libnftables-json(5)). */
import { contains, type Prefix, tryParsePrefix } from '../../model/address.js';
import type { BridgeDrop } from '../../model/docker/bridge.js';
import type { BridgeQuestion } from '../../ports.js';

type Json = { readonly [key: string]: unknown };

export interface NftRule {
  readonly chain: string;
  readonly expr: readonly Json[];
  readonly comment: string;
}

export const DOCKER_TABLE = 'docker-bridges';

/** Throws SyntaxError or TypeError when it is no listing of nft's. */
export function nftRules(listing: string): readonly NftRule[] {
  const { nftables } = JSON.parse(listing) as { readonly nftables: readonly Json[] };
  return nftables.flatMap(({ rule }) => {
    if (rule === undefined) return [];
    const { chain, expr, comment = '' } = rule as { chain: string; expr: readonly Json[]; comment?: string };
    return [{ chain, expr, comment }];
  });
}

export function masquerades(rules: readonly NftRule[], { bridge }: BridgeQuestion): boolean {
  return rules.some(
    ({ chain, expr }) =>
      chain === `nat-postrouting-out__${bridge}` &&
      expr.some((part) => 'masquerade' in part || 'snat' in part),
  );
}

export function drops(rules: readonly NftRule[], question: BridgeQuestion): readonly BridgeDrop[] {
  const { bridge, subnet, devices } = question;
  return rules.flatMap((rule): BridgeDrop[] => {
    const { chain, expr, comment } = rule;
    if (!expr.some((part) => 'drop' in part)) return [];
    const matches = expr.flatMap(({ match }) => (match === undefined ? [] : [match as Json]));
    if (chain === 'raw-PREROUTING') {
      const to = matches.map(destination).find((prefix) => prefix !== undefined);
      const isOurs = to !== undefined && contains(subnet, to);
      const exempt = matches.flatMap(exemptInterfaces);
      if (!isOurs || devices.every((device) => exempt.includes(device))) return [];
      return [{ at: 'prerouting', rule: named(chain, `ip daddr ${to} drop`, comment), by: 'nftables' }];
    }
    // The last rule of the bridge's own chain, behind those that let published ports in.
    const isLast = chain === `filter-forward-in__${bridge}` && matches.length === 0;
    return isLast ? [{ at: 'forward', rule: named(chain, 'drop', comment), by: 'nftables' }] : [];
  });
}

function named(chain: string, statement: string, comment: string): string {
  return `${DOCKER_TABLE} ${chain} ${statement}${comment === '' ? '' : ` "${comment}"`}`;
}

function destination({ op, left, right }: Json): Prefix | undefined {
  const { payload } = left as { payload?: { field?: string } };
  if (op !== '==' || payload?.field !== 'daddr') return undefined;
  if (typeof right === 'string') return tryParsePrefix(`${right}/32`);
  const { prefix } = right as { prefix?: { addr: string; len: number } };
  return prefix && tryParsePrefix(`${prefix.addr}/${prefix.len}`);
}

/** `iifname != "docker0"`, or `iifname != { "docker0", "flannel0" }` when some are trusted. */
function exemptInterfaces({ op, left, right }: Json): readonly string[] {
  const { meta } = left as { meta?: { key?: string } };
  if (op !== '!=' || meta?.key !== 'iifname') return [];
  if (typeof right === 'string') return [right];
  return (right as { set?: readonly string[] }).set ?? [];
}
