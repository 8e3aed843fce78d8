/** Requests in words, for errors and logs: as short as ip(8) would have them. */
import type { NetlinkRequest, NetlinkRouteSpec } from '../../ports.js';

const RT_TABLE_MAIN = 254;

/** Reads after "Cannot": `add route 10.5.34.0/24 dev flannel0`. */
export function describeRequest(request: NetlinkRequest): string {
  switch (request.op) {
    case 'set-link':
      return ['set link', request.name, ...linkChanges(request)].join(' ');
    case 'delete-link':
      return `delete link ${request.name}`;
    case 'add-address':
      return `add address ${request.address}/${request.length} dev ${request.link}`;
    case 'delete-address':
      return `delete address ${request.address}/${request.length} dev ${request.link}`;
    case 'add-route':
      return `add route ${describeRoute(request.route)}`;
    case 'replace-route':
      return `replace route ${describeRoute(request.route)}`;
    case 'delete-route':
      return `delete route ${describeRoute(request.route)}`;
    default:
      return request satisfies never;
  }
}

function linkChanges({ mtu, up, alias }: Extract<NetlinkRequest, { op: 'set-link' }>): readonly string[] {
  return [
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...(up === undefined ? [] : [up ? 'up' : 'down']),
    ...(alias === undefined ? [] : [`alias "${alias}"`]),
  ];
}

function describeRoute({ destination, via, link, table, tos, metric, onlink }: NetlinkRouteSpec): string {
  return [
    destination,
    ...(via === undefined ? [] : [`via ${via}`]),
    ...(link === undefined ? [] : [`dev ${link}`]),
    ...(table === RT_TABLE_MAIN ? [] : [`table ${table}`]),
    ...(tos === 0 ? [] : [`tos ${tos}`]),
    ...(metric === 0 ? [] : [`metric ${metric}`]),
    ...(onlink ? ['onlink'] : []),
  ].join(' ');
}
