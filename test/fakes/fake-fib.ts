/**
 * Routing tables that answer as Linux does (net/ipv4/fib_semantics.c and fib_trie.c, net/ipv6/route.c), as far as
 * one next hop goes. test/kernel/fake-kernel-likeness.test.ts compares them with the real ones.
 */
import { type Address, contains, familyOf, lengthOf } from '../../src/model/address.js';
import type { NetlinkRoute, NetlinkRouteSpec } from '../../src/ports.js';

/** The kernel's no: an errno and, for most, its words. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly code: string,
    readonly text: string,
  ) {
    super(`${text} (${code})`);
  }
}

/** What the tables must know of links and addresses. */
export interface FibSurroundings {
  isUp(link: string): boolean;
  /** Entries of the IPv4 local table, which follow from the addresses. */
  localRoutes(): readonly NetlinkRoute[];
  isOwn(address: Address): boolean;
}

export const TABLE = { default: 253, main: 254, local: 255 } as const;
export const PROTOCOL_KERNEL = 2;
const IPV6_DEFAULT_METRIC = 1024; // IP6_RT_PRIO_USER
const SCOPES = ['global', 'site', 'link', 'host', 'nowhere'] as const;

export class FakeFib {
  readonly #surroundings: FibSurroundings;
  #routes: readonly NetlinkRoute[] = [];

  constructor(surroundings: FibSurroundings) {
    this.#surroundings = surroundings;
  }

  all(): readonly NetlinkRoute[] {
    return [...this.#routes, ...this.#surroundings.localRoutes()];
  }

  /** `create` is CREATE|EXCL, `replace` is CREATE|REPLACE. Throws Refusal. */
  write(spec: NetlinkRouteSpec, mode: 'create' | 'replace'): void {
    const route = this.#resolved(spec);
    const inPlace = this.#routes.find((other) => samePlace(other, route));
    if (inPlace === undefined) this.append(route);
    else if (mode === 'create') throw new Refusal('EEXIST', 'File exists');
    // Whoever made it: the protocol is no part of a route's identity.
    else this.#routes = this.#routes.map((other) => (other === inPlace ? route : other));
  }

  /** Unchecked, and behind what is in its place already, as the kernel does with its own and a script with foreign ones. */
  append(route: NetlinkRoute): void {
    this.#routes = [...this.#routes, route];
  }

  /** Removes the first route that matches; a protocol, via, link or metric that is not given matches all. Throws Refusal. */
  remove(spec: NetlinkRouteSpec): void {
    const { destination, tos, metric, protocol, link, via } = spec;
    const table = spec.table || TABLE.main;
    refuseEcn(spec);
    const candidates = this.#routes.filter(
      (route) =>
        route.destination === destination &&
        route.table === table &&
        route.type === 'unicast' &&
        (familyOf(destination) === 'ipv6' || route.tos === tos) &&
        (metric === 0 || route.metric === metric) &&
        (protocol === 0 || route.protocol === protocol) &&
        (link === undefined || route.link === link) &&
        (via === undefined || route.via === via),
    );
    const [first] = candidates.sort((left, right) => left.metric - right.metric);
    if (first === undefined) throw new Refusal('ESRCH', 'No such process');
    this.drop((route) => route === first);
  }

  /** Takes routes away without a refusal, as the kernel does by itself. */
  drop(matches: (route: NetlinkRoute) => boolean): void {
    this.#routes = this.#routes.filter((route) => !matches(route));
  }

  /** What a packet to `destination` takes: local, main and default table in this order. */
  lookup(destination: Address): NetlinkRoute | undefined {
    return this.#find(destination, [TABLE.local, TABLE.main, TABLE.default]);
  }

  #resolved(spec: NetlinkRouteSpec): NetlinkRoute {
    const { via, link, ...rest } = spec;
    const family = familyOf(spec.destination);
    const hop = family === 'ipv4' ? this.#ipv4Hop(spec) : this.#ipv6Hop(spec);
    return {
      ...rest,
      table: spec.table || TABLE.main,
      // IPv6 routes have neither a scope nor a TOS, and always a metric.
      ...(family === 'ipv4'
        ? {}
        : { scope: 'global' as const, tos: 0, metric: spec.metric || IPV6_DEFAULT_METRIC }),
      type: 'unicast',
      multipath: false,
      link: hop,
      ...(via === undefined ? {} : { via }),
    };
  }

  /** The link that the next hop is on, after the checks of fib_create_info. */
  #ipv4Hop(spec: NetlinkRouteSpec): string {
    const { scope, via, link, onlink } = spec;
    refuseEcn(spec);
    if (scope === 'nowhere') throw new Refusal('EINVAL', 'Invalid scope');
    if (scope === 'host') {
      if (via !== undefined) throw new Refusal('EINVAL', 'Route with host scope can not have a gateway');
      return presentLink(link);
    }
    if (via === undefined) {
      if (onlink) {
        throw new Refusal('EINVAL', 'Invalid flags for nexthop - PERVASIVE and ONLINK can not be set');
      }
      return this.#upLink(presentLink(link), 'Device for nexthop is not up');
    }
    return onlink ? this.#onlinkHop(spec, via) : this.#gatewayLink(spec, via);
  }

  #onlinkHop({ scope, link }: NetlinkRouteSpec, via: Address): string {
    if (scope === 'link') throw new Refusal('EINVAL', 'Nexthop has invalid scope');
    if (link === undefined) throw new Refusal('ENODEV', 'Nexthop device required for onlink');
    this.#upLink(link, 'Nexthop device is not up');
    const local = this.#find(via, [TABLE.local]);
    if (local !== undefined) throw new Refusal('EINVAL', 'Nexthop has invalid gateway');
    return link;
  }

  /** A gateway must be on a link already: only routes of a narrower scope than the new one count. */
  #gatewayLink({ scope, link, table }: NetlinkRouteSpec, via: Address): string {
    const narrower = scope === 'link' ? 'host' : 'link';
    // The route's own table first, but the main one in its ordinary turn.
    const own = table === TABLE.main || table === 0 ? [] : [table];
    const tables = [...own, TABLE.local, TABLE.main, TABLE.default];
    const route = this.#find(via, tables, { ...(link === undefined ? {} : { link }), narrowest: narrower });
    if (route === undefined) throw new Refusal('ENETUNREACH', 'Nexthop has invalid gateway');
    if ((route.type !== 'unicast' && route.type !== 'local') || route.link === undefined) {
      throw new Refusal('EINVAL', 'Nexthop has invalid gateway');
    }
    return this.#upLink(route.link, 'Network is down');
  }

  #ipv6Hop({ via, link, onlink, table }: NetlinkRouteSpec): string {
    if (via === undefined || onlink) return this.#upLink(presentLink(link), 'Nexthop device is not up');
    if (this.#surroundings.isOwn(via)) throw new Refusal('EINVAL', 'Gateway can not be a local address');
    const route = this.#find(via, [table, TABLE.main], link === undefined ? {} : { link });
    if (route?.link === undefined || route.via !== undefined) {
      throw new Refusal('EHOSTUNREACH', 'No route to host');
    }
    return this.#upLink(route.link, 'Nexthop device is not up');
  }

  #upLink(link: string, otherwise: string): string {
    if (!this.#surroundings.isUp(link)) throw new Refusal('ENETDOWN', otherwise);
    return link;
  }

  /** Longest prefix first, then the lowest metric, table by table. */
  #find(
    destination: Address,
    tables: readonly number[],
    want: { readonly link?: string; readonly narrowest?: NetlinkRoute['scope'] } = {},
  ): NetlinkRoute | undefined {
    const least = SCOPES.indexOf(want.narrowest ?? 'global');
    for (const table of tables) {
      const [best] = this.all()
        .filter(
          (route) =>
            route.table === table &&
            route.tos === 0 &&
            contains(route.destination, destination) &&
            (want.link === undefined || route.link === want.link) &&
            SCOPES.indexOf(route.scope) >= least,
        )
        .sort(
          (left, right) =>
            lengthOf(right.destination) - lengthOf(left.destination) || left.metric - right.metric,
        );
      // A throw route ends this table and no other.
      if (best !== undefined && best.type !== 'other') return best;
    }
    return undefined;
  }
}

function refuseEcn({ destination, tos }: NetlinkRouteSpec): void {
  if (familyOf(destination) === 'ipv4' && (tos & 3) !== 0) {
    throw new Refusal('EINVAL', 'Invalid dsfield (tos): ECN bits must be 0');
  }
}

function presentLink(link: string | undefined): string {
  if (link === undefined) throw new Refusal('ENODEV', 'No such device');
  return link;
}

function samePlace(left: NetlinkRoute, right: NetlinkRoute): boolean {
  return (
    left.destination === right.destination &&
    left.table === right.table &&
    left.tos === right.tos &&
    left.metric === right.metric
  );
}
