/** The routes to other hosts' subnets. */
import { familyOf, type Prefix } from '../address.js';
import type { Desired } from '../diff.js';
import type { HostFacts } from '../host.js';
import { MAIN_TABLE, routeKey, USUAL_METRIC } from '../keys.js';
import type { RouteState } from '../objects.js';
import type { ResourceKey } from '../plan.js';
import type { FamilyPeer } from './backend.js';

export function peerRoute(
  destination: Prefix,
  nextHop: Pick<RouteState, 'via' | 'link' | 'onlink'>,
): RouteState {
  const metric = USUAL_METRIC[familyOf(destination)];
  return { destination, table: MAIN_TABLE, tos: 0, metric, type: 'unicast', scope: 'global', ...nextHop };
}

/** To a host on the external interface's link: by way of its own address. */
export function directRoute(
  { external }: HostFacts,
  { subnet, publicIp }: FamilyPeer,
  requires: readonly ResourceKey[],
): Desired<RouteState> {
  const state = peerRoute(subnet, { via: publicIp, link: external.name, onlink: false });
  return { key: routeKey(state), state, requires };
}
