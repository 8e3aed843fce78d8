/** Requests in words, for errors and logs: as short as ip(8) would have them. */
import type { VxlanState } from '../../model/objects.js';
import type { NetlinkRequest, NetlinkRouteSpec } from '../../ports.js';

const RT_TABLE_MAIN = 254;

/** Reads after "Cannot": `add route 10.5.34.0/24 dev flannel0`. */
export function describeRequest(request: NetlinkRequest): string {
  switch (request.op) {
    case 'set-link':
      return ['set link', request.name, ...linkChanges(request)].join(' ');
    case 'add-vxlan':
      return `add link ${request.name} type vxlan ${describeVxlan(request.vxlan)}`;
    case 'delete-link':
      return `delete link ${request.name}`;
    case 'add-address':
      return `add address ${request.address}/${request.length} dev ${request.link}`;
    case 'delete-address':
      return `delete address ${request.address}/${request.length} dev ${request.link}`;
    case 'replace-neighbour':
      return `replace neighbour ${request.address} lladdr ${request.mac} dev ${request.link}`;
    case 'delete-neighbour':
      return `delete neighbour ${request.address} dev ${request.link}`;
    case 'replace-fdb':
      return `replace fdb entry ${request.mac} dst ${request.destination} dev ${request.link}`;
    case 'delete-fdb':
      return `delete fdb entry ${request.mac} dst ${request.destination} dev ${request.link}`;
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

function describeVxlan({ vni, port, local, underlay, learning, gbp, mac }: VxlanState): string {
  return [
    `id ${vni}`,
    `dstport ${port}`,
    ...(local === undefined ? [] : [`local ${local}`]),
    ...(underlay === undefined ? [] : [`dev ${underlay}`]),
    ...(learning ? ['learning'] : []),
    ...(gbp ? ['gbp'] : []),
    `mac ${mac}`,
  ].join(' ');
}

function linkChanges({
  mtu,
  up,
  alias,
  mac,
}: Extract<NetlinkRequest, { op: 'set-link' }>): readonly string[] {
  return [
    ...(mtu === undefined ? [] : [`mtu ${mtu}`]),
    ...(up === undefined ? [] : [up ? 'up' : 'down']),
    ...(alias === undefined ? [] : [`alias "${alias}"`]),
    ...(mac === undefined ? [] : [`mac ${mac}`]),
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
