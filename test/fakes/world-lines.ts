/** Links, addresses and routes as sorted lines, in words close to those of ip(8): to compare, print and read. */
import type { VxlanState } from '../../src/model/objects.js';
import type {
  NetlinkAddress,
  NetlinkFdbEntry,
  NetlinkLink,
  NetlinkNeighbour,
  NetlinkRoute,
} from '../../src/ports.js';

export interface KernelObjects {
  readonly links: readonly NetlinkLink[];
  readonly addresses: readonly NetlinkAddress[];
  readonly routes: readonly NetlinkRoute[];
  readonly neighbours?: readonly NetlinkNeighbour[];
  readonly fdb?: readonly NetlinkFdbEntry[];
}

const TABLE_NAMES: Readonly<Record<number, string>> = { 253: 'default', 255: 'local' };
const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 2: 'kernel', 3: 'boot', 4: 'static' };
const MAIN_TABLE = 254;

export function worldLines({
  links,
  addresses,
  routes,
  neighbours = [],
  fdb = [],
}: KernelObjects): readonly string[] {
  return [
    ...links.map(linkLine),
    ...addresses.map(addressLine),
    ...routes.map(routeLine),
    ...neighbours.map(neighbourLine),
    ...fdb.map(fdbLine),
  ].sort();
}

function neighbourLine({ address, mac, link, permanent }: NetlinkNeighbour): string {
  return `neighbour ${address} lladdr ${mac} dev ${link}${permanent ? ' permanent' : ''}`;
}

function fdbLine({ mac, destination, link, overrides = {}, permanent }: NetlinkFdbEntry): string {
  const odd = Object.entries(overrides).map(([name, value]) => ` ${name} ${value}`);
  return `fdb ${mac} dst ${destination}${odd.join('')} dev ${link}${permanent ? ' permanent' : ''}`;
}

function linkLine({ name, kind, mtu, up, carrier, alias, tun, vxlan }: NetlinkLink): string {
  return [
    `link ${name}`,
    ...(kind === undefined ? [] : [kind]),
    ...(tun?.multiQueue ? ['multi_queue'] : []),
    ...(vxlan === undefined ? [] : vxlanWords(vxlan)),
    `mtu ${mtu}`,
    up ? 'up' : 'down',
    ...(carrier ? [] : ['no-carrier']),
    ...(alias === undefined ? [] : [`alias "${alias}"`]),
  ].join(' ');
}

function vxlanWords(vxlan: VxlanState): readonly string[] {
  const { vni, port, local, underlay, learning, gbp, mac, txChecksumOffload } = vxlan;
  return [
    `id ${vni} dstport ${port}`,
    ...(local === undefined ? [] : [`local ${local}`]),
    ...(underlay === undefined ? [] : [`dev ${underlay}`]),
    ...(learning ? ['learning'] : []),
    ...(gbp ? ['gbp'] : []),
    `mac ${mac}`,
    ...(txChecksumOffload === false ? ['tx-checksum off'] : []),
  ];
}

function addressLine({ link, address, length, scope }: NetlinkAddress): string {
  return `address ${address}/${length} dev ${link} scope ${scope}`;
}

function routeLine(route: NetlinkRoute): string {
  const { type, destination, via, link, table, tos, metric, protocol, scope, preferredSource } = route;
  return [
    'route',
    ...(type === 'unicast' ? [] : [type]),
    destination,
    ...(via === undefined ? [] : [`via ${via}`]),
    ...(link === undefined ? [] : [`dev ${link}`]),
    ...(table === MAIN_TABLE ? [] : [`table ${TABLE_NAMES[table] ?? table}`]),
    ...(tos === 0 ? [] : [`tos ${tos}`]),
    ...(metric === 0 ? [] : [`metric ${metric}`]),
    `proto ${PROTOCOL_NAMES[protocol] ?? protocol}`,
    ...(scope === 'global' ? [] : [`scope ${scope}`]),
    ...(preferredSource === undefined ? [] : [`src ${preferredSource}`]),
    ...(route.onlink ? ['onlink'] : []),
    ...(route.multipath ? ['multipath'] : []),
  ].join(' ');
}
