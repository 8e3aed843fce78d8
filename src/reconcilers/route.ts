/** Routes of the network. Ours carry our protocol number; whatever else stands in their place is left alone. */
import { contains, lengthOf, type Prefix } from '../model/address.js';
import { type Desired, diff, type Kind, type Observed } from '../model/diff.js';
import { MAIN_TABLE, routeKey } from '../model/keys.js';
import { prefixesOf } from '../model/lease-overlaps.js';
import type { RouteState } from '../model/objects.js';
import type { Action, ActionResult } from '../model/plan.js';
import type { Clock, Netlink, NetlinkRequest, NetlinkRoute } from '../ports.js';
import { carryOutBatched, stateOf } from './carry-out-batched.js';
import type { NetworkRecord } from './network-record.js';
import { type Reconciler, together } from './reconciler.js';
import type { Scope } from './scope.js';

const RTPROT_BOOT = 3;
/** So long a route that somebody has put before one of ours, with the same identity, may go unseen. */
const WHOLE_TABLE_MS = 60_000;

const kind: Kind<RouteState> = {
  isMarked: true,
  differences(want, have) {
    const differences: string[] = [];
    if (have.link !== want.link) differences.push(`dev ${have.link ?? 'none'}, want ${want.link ?? 'any'}`);
    if (have.via !== want.via) differences.push(`via ${have.via ?? 'none'}, want ${want.via ?? 'none'}`);
    if (have.onlink !== want.onlink) differences.push(`onlink ${have.onlink}, want ${want.onlink}`);
    if (have.scope !== want.scope) differences.push(`scope ${have.scope}, want ${want.scope}`);
    if (have.type !== want.type) differences.push(`type ${have.type}, want ${want.type}`);
    return differences;
  },
};

/**
 * Ours are the routes that carry `protocol`, are of the form we write, and lead over our devices or into our
 * network, be it in force, in the file alone, or a former one by the record: another instance may share the number.
 */
export function routeReconciler(
  netlink: Netlink,
  protocol: number,
  scope: () => Scope,
  record: NetworkRecord,
  clock: Pick<Clock, 'boottimeMs'>,
): Reconciler<RouteState> {
  let wholeAtMs = Number.NEGATIVE_INFINITY;
  /** Of the last look at the whole table. */
  let intruders: readonly Observed<RouteState>[] = [];
  const request = (action: Action<RouteState>): NetlinkRequest => {
    const { type: _, protocol: maker = protocol, ...spec } = stateOf(action);
    // An update was planned on a route that carried our protocol: only such a one may be replaced.
    const op = ({ create: 'add-route', update: 'replace-route', delete: 'delete-route' } as const)[
      action.verb
    ];
    return { op, route: { ...spec, protocol: maker } };
  };

  const isOverOurs = ({ link = '' }: { readonly link?: string }) => scope().devices.includes(link);

  /** Somebody else's that lead a part of the network elsewhere. In the host's own subnet they may: that is its containers'. */
  function intrudersAmong(whole: readonly NetlinkRoute[], told: ReadonlyMap<string, unknown>) {
    const { networks, subnets } = scope();
    if (subnets === undefined) return [];
    const own = prefixesOf(subnets);
    const isInside = ({ destination }: NetlinkRoute) =>
      networks.some(
        (network) => contains(network, destination) && lengthOf(destination) > lengthOf(network),
      ) && !own.some((subnet) => contains(subnet, destination));
    return whole.flatMap((route): readonly Observed<RouteState>[] => {
      const key = routeKey(route);
      if (route.protocol === protocol || told.has(key) || !isInside(route)) return [];
      const state = foundState(route, protocol);
      const warning = `not ours, and inside the network: ${wayOf(state)}`;
      return [{ key, state, ours: false, warning }];
    });
  }

  /** What says that it failed comes after the routes: packets do not wait for a disk that is full. */
  async function noteNetworks(actions: readonly Action<RouteState>[]): Promise<Error | undefined> {
    if (actions.every(({ after }) => after === undefined || isOverOurs(after))) return undefined;
    return record.add(scope().networks).then(
      () => undefined,
      (cause: unknown) => new Error(`Cannot note the network of routes: ${cause}`, { cause }),
    );
  }

  async function forgetNetworks(): Promise<void> {
    if ((await record.read()).length === 0) return;
    const routes = (await netlink.routes({ protocol })).filter((route) => !isOverOurs(route));
    const isInUse = (network: Prefix) => routes.some(({ destination }) => contains(network, destination));
    // A network too many in it does no harm, and the next deletion tries again.
    await record.prune(isInUse).catch(() => {});
  }

  return {
    name: 'route',
    async observe(desired, _signal, remade) {
      const { devices, networks: inForce, declared = [] } = scope();
      const networks = [...inForce, ...declared, ...(await record.read())];
      const isOurs = (route: NetlinkRoute) =>
        route.protocol === protocol &&
        route.type === 'unicast' &&
        !route.multipath &&
        (devices.includes(route.link ?? '') ||
          networks.some((network) => contains(network, route.destination)));
      // flannel writes no protocol, which makes it boot's, and its tunnel routes lead over its device by way of nobody.
      const isLeft = ({ protocol: number, type, table, link, via, onlink }: NetlinkRoute) =>
        number === RTPROT_BOOT &&
        type === 'unicast' &&
        table === MAIN_TABLE &&
        ((onlink && devices.includes(link ?? '')) || (via !== undefined && !onlink));
      const wanted = new Set(desired.map(({ key }) => key));
      const observed = (routes: readonly NetlinkRoute[]) => {
        const found = new Map<string, Observed<RouteState>>();
        for (const route of routes) {
          if (route.link !== undefined && remade?.has(route.link)) continue;
          const key = routeKey(route);
          const ours = isOurs(route);
          // Several routes of one identity: the kernel uses the first, so that is the one in place.
          const left = !ours && isLeft(route);
          // A plain route into the network may be the operator's: it is flannel's only where it is wanted.
          const isTold = ours || wanted.has(key) || (left && route.onlink);
          if (isTold && !found.has(key))
            found.set(key, { key, state: foundState(route, protocol), ours, left });
        }
        return found;
      };
      // Other routing daemons may keep a hundred thousand routes beside ours: the kernel leaves them out.
      const ours = await netlink.routes({ protocol });
      if (clock.boottimeMs() - wholeAtMs < WHOLE_TABLE_MS) {
        const left = await netlink.routes({ table: MAIN_TABLE, protocol: RTPROT_BOOT });
        const found = observed([...ours, ...left]);
        if (desired.every((want) => isInPlace(want, found.get(want.key))))
          return [...found.values(), ...intruders.filter(({ key }) => !found.has(key))];
      }
      // Somebody else's routes count where ours is missing or to be changed.
      const whole = await netlink.routes({ table: MAIN_TABLE });
      const found = observed([...whole, ...ours.filter(({ table }) => table !== MAIN_TABLE)]);
      // What is in the way of one of ours has to be seen again the next time.
      const isClear = desired.every(({ key }) => found.get(key)?.ours !== false);
      wholeAtMs = isClear ? clock.boottimeMs() : Number.NEGATIVE_INFINITY;
      intruders = intrudersAmong(whole, found);
      return [...found.values(), ...intruders];
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    async apply(actions, signal) {
      const notNoted = await noteNetworks(actions);
      const results = await carryOutBatched(actions, signal, netlink, {
        request,
        // EEXIST is no success here: somebody else's route has the place.
        isDoneAlready: ({ verb }, { code }) => verb === 'delete' && (code === 'ESRCH' || code === 'ENODEV'),
      });
      if (actions.some(({ verb }) => verb === 'delete')) await forgetNetworks();
      if (notNoted === undefined) return results;
      return results.map(
        (result): ActionResult =>
          result.outcome === 'done' ? { ...result, outcome: 'failed', error: notNoted } : result,
      );
    },
    // The record last: putting routes back writes it.
    keep: async (_actions, states, noted) => together(states, await record.keep(noted)),
    // Routes lost because a device went down or away are not announced: link events must wake too.
    watch(wake, signal) {
      const concerned = { ours: protocol, networks: () => scope().networks };
      const onEvents = (isForeign: boolean) => {
        if (isForeign) wholeAtMs = Number.NEGATIVE_INFINITY;
        wake();
      };
      netlink.watchRoutes(concerned, onEvents, signal);
    },
  };
}

function isInPlace({ state }: Desired<RouteState>, found: Observed<RouteState> | undefined): boolean {
  return found?.ours === true && kind.differences(state, found.state).length === 0;
}

/** `dev eth0 via 10.8.0.9`, `blackhole`. */
function wayOf({ type, link, via }: RouteState): string {
  return [
    ...(type === 'unicast' ? [] : [type]),
    ...(link === undefined ? [] : [`dev ${link}`]),
    ...(via === undefined ? [] : [`via ${via}`]),
  ].join(' ');
}

function foundState(route: NetlinkRoute, ourProtocol: number): RouteState {
  const { destination, table, tos, metric, link, via, onlink, scope, multipath } = route;
  const type = multipath ? 'multipath' : route.type;
  return {
    destination,
    table,
    tos,
    metric,
    onlink,
    scope,
    type,
    ...(route.protocol !== ourProtocol && { protocol: route.protocol }),
    ...(link === undefined ? {} : { link }),
    ...(via === undefined ? {} : { via }),
  };
}
