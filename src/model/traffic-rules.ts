/**
 * Which traffic is masqueraded and which is let through: flannel's rules, as whole tables and chains of our
 * own. Decides only; src/sys/firewall writes them.
 */
import { FAMILIES, type Family, familyOf, type Prefix, parsePrefix } from './address.js';
import { DEFAULT_INSTANCE } from './config.js';
import type { Desired } from './diff.js';
import type { Subnets } from './lease.js';
import type { NetworkConfig } from './network.js';
import type { FlannelRulesState, ForwardState, MasqueradeState, NatRule } from './objects.js';
import type { ResourceKey } from './plan.js';

const MULTICAST = {
  ipv4: parsePrefix('224.0.0.0/4'),
  ipv6: parsePrefix('ff00::/8'),
} as const satisfies Record<Family, Prefix>;

/** kube-proxy's bit for "masquerade this" (its option iptables.masqueradeBit, default 14). */
const KUBE_PROXY_MARK = { value: 0x4000, mask: 0x4000 } as const;

/** Each instance has an nft table of its own: two networks on one host do not know each other. */
export function masqueradeTable(instanceName: string): string {
  return `flannelette-${instanceName}`;
}

/**
 * flannel's own chain name for the default instance, so that its users and tools find it where it was. An
 * instance is named like a device, in at most 15 bytes: within the 28 of an iptables chain.
 */
export function forwardChain(instanceName: string): string {
  return instanceName === DEFAULT_INSTANCE.name ? 'FLANNEL-FWD' : `FLANNEL-FWD-${instanceName}`;
}

export function masqueradeKey(family: Family, table: string): ResourceKey {
  return `nft-table:${family === 'ipv4' ? 'ip' : 'ip6'} ${table}`;
}

export function forwardKey(family: Family, chain: string): ResourceKey {
  return `${family === 'ipv4' ? 'iptables' : 'ip6tables'}-chain:${chain}`;
}

export function flannelRulesKey({ family, place, name }: FlannelRulesState): ResourceKey {
  if (place === 'nft') return masqueradeKey(family, name);
  const program = family === 'ipv4' ? place : place.replace('ip', 'ip6');
  return `${program}-chain:nat ${name}`;
}

/**
 * Postrouting rules in flannel's order and meaning (pkg/trafficmngr/iptables); the first match decides, and
 * what matches none keeps its source address. `subnet` is this host's part of `network`.
 */
export function masqueradeRules(network: Prefix, subnet: Prefix): readonly NatRule[] {
  const multicast = MULTICAST[familyOf(network)];
  return [
    // kube-proxy masquerades it already: twice would hide the node behind itself.
    { mark: KUBE_PROXY_MARK, verdict: 'return' },
    // Within the network containers see each other's real addresses, outwards ...
    { source: is(subnet), destination: is(network), verdict: 'return' },
    // ... and inwards.
    { source: is(network), destination: is(subnet), verdict: 'return' },
    // Whoever reaches a container of this host from outside is seen by it with the real address: the answer
    // comes back through this host anyway.
    { source: isNot(network), destination: is(subnet), verdict: 'return' },
    // Container addresses mean nothing outside. Multicast is not answered, so it needs no way back.
    { source: is(network), destination: isNot(multicast), verdict: 'masquerade' },
    // From outside, through this host, to a container of another: without this its host would answer
    // directly, past this one.
    { source: isNot(network), destination: is(network), verdict: 'masquerade' },
  ];
}

function is(prefix: Prefix): NonNullable<NatRule['source']> {
  return { prefix, negated: false };
}

function isNot(prefix: Prefix): NonNullable<NatRule['source']> {
  return { prefix, negated: true };
}

/** One table for each family in which the network and the lease have addresses. */
export function desiredMasquerade(
  table: string,
  network: NetworkConfig,
  subnets: Subnets,
): readonly Desired<MasqueradeState>[] {
  return FAMILIES.flatMap((family) => {
    const [cidr, subnet] = [network[family]?.cidr, subnets[family]];
    if (cidr === undefined || subnet === undefined) return [];
    const rules = masqueradeRules(cidr, subnet);
    return [{ key: masqueradeKey(family, table), state: { family, table, rules, unreadable: [] } }];
  });
}

/** One chain for each family of the network: Docker sets the FORWARD policy to DROP, and this is the exception from it. */
export function desiredForward(chain: string, network: NetworkConfig): readonly Desired<ForwardState>[] {
  return FAMILIES.flatMap((family) => {
    const cidr = network[family]?.cidr;
    if (cidr === undefined) return [];
    const state = { family, chain, accept: [cidr], jump: true, unreadable: [] };
    return [{ key: forwardKey(family, chain), state }];
  });
}
