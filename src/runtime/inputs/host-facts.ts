/** Asks the kernel and the old subnet.env about this host. Which interface is chosen is decided in model/external-interface.ts. */
import {
  type Address,
  contains,
  FAMILIES,
  familyOf,
  lengthOf,
  tryParseAddress,
} from '../../model/address.js';
import {
  commandRecordPath,
  MOST_RECORD_BYTES,
  PRE_STARTUP,
  parseCommandRecord,
} from '../../model/command-record.js';
import type { Config } from '../../model/config.js';
import { parseSubnetEnv } from '../../model/env-files.js';
import { type Candidates, externalInterface } from '../../model/external-interface.js';
import type { ExternalInterface, HostFacts, Reach } from '../../model/host.js';
import { MAIN_TABLE } from '../../model/keys.js';
import type { PublicIps } from '../../model/lease.js';
import { familiesOf } from '../../model/network.js';
import type { Files, Netlink, NetlinkRoute, Sysctls } from '../../ports.js';

/** What is asked. */
export interface FactSources {
  readonly netlink: Netlink;
  readonly sysctls: Sysctls;
  readonly files: Files;
}

/** Linux' number of routes from router advertisements (linux/rtnetlink.h, RTPROT_RA). */
const RTPROT_RA = 9;

/** Rejects with InterfaceError when no interface can be chosen, with ObserveError when the kernel did not answer in full. */
export async function hostFacts(
  config: Config,
  { netlink, sysctls, files }: FactSources,
  inUse?: ExternalInterface,
): Promise<HostFacts> {
  const selector = config.host.interface;
  const [links, addresses, routes, previous, commands] = await Promise.all([
    netlink.links(),
    netlink.addresses(),
    netlink.routes({ table: MAIN_TABLE }),
    files.read(config.files.subnetEnv),
    // Whoever runs the commands says what is wrong with it; a host without it is known all the same.
    files.read(commandRecordPath(config.instance), MOST_RECORD_BYTES).catch(() => undefined),
  ]);
  const candidates: Candidates = {
    links,
    addresses,
    defaultRoutes: routes
      .filter(({ destination, type }) => lengthOf(destination) === 0 && type === 'unicast')
      .map((route) => ({ ...route, family: familyOf(route.destination) })),
    reach: await reach(config, netlink),
  };
  const { declared } = config.network;
  const external = externalInterface(selector, declared && familiesOf(declared), candidates, inUse);
  const startupOutput = parseCommandRecord(commands?.content).get(PRE_STARTUP)?.output;
  return {
    external,
    publicIps: publicIpsOf(config, external),
    reach: reachOf(external.name, config.instance.routeProtocol, routes),
    ...(startupOutput !== undefined && { startupOutput }),
    ...(previous && { previousSubnets: parseSubnetEnv(previous.content).subnets }),
    ...((await takesRouterAdvertisements(external.name, routes, sysctls)) && {
      takesRouterAdvertisements: true,
    }),
  };
}

function publicIpsOf({ host }: Config, external: ExternalInterface): PublicIps {
  return Object.fromEntries(
    FAMILIES.flatMap((family) => {
      const address = host.publicIps[family] ?? external[family];
      return address === undefined ? [] : [[family, address]];
    }),
  );
}

/** Where another program takes them and makes the routes (systemd-networkd, NetworkManager), accept_ra is 0. */
async function takesRouterAdvertisements(
  link: string,
  routes: readonly NetlinkRoute[],
  sysctls: Sysctls,
): Promise<boolean> {
  if (!routes.some((route) => route.link === link && route.protocol === RTPROT_RA)) return false;
  const accepts = await sysctls.read(`net.ipv6.conf.${link.replaceAll('.', '/')}.accept_ra`);
  return accepts !== undefined && accepts !== '0';
}

/** Ours are left out: what leads to the containers is made of this, not part of it. */
function reachOf(external: string, ourProtocol: number, routes: readonly NetlinkRoute[]): readonly Reach[] {
  const others = routes.filter(({ type, protocol }) => type === 'unicast' && protocol !== ourProtocol);
  const isDirect = ({ link, via, multipath }: NetlinkRoute) =>
    link === external && via === undefined && !multipath;
  const direct = others.filter(isDirect).map(({ destination }) => destination);
  const elsewhere = others
    .filter((route) => !isDirect(route) && direct.some((prefix) => contains(prefix, route.destination)))
    .map(({ destination }) => destination)
    .filter((prefix) => !direct.includes(prefix));
  const reached = [
    ...direct.map((prefix) => ({ prefix, direct: true })),
    ...elsewhere.map((prefix) => ({ prefix, direct: false })),
  ];
  // In one order, whatever the kernel's: another order is no other host.
  return reached.sort((left, right) => (left.prefix < right.prefix ? -1 : 1));
}

async function reach({ host: { interface: selector }, store }: Config, netlink: Netlink) {
  const target =
    selector.by === 'can-reach'
      ? selector.address
      : selector.by === 'default-route'
        ? storeAddress(store)
        : undefined;
  if (target === undefined) return undefined;
  const route = await netlink.routeTo(target);
  return route && { target, link: route.link };
}

/** For a host without a default route: where the store is, when the file gives that as an address. */
function storeAddress(store: Config['store']): Address | undefined {
  const [first] = store.type === 'etcd' ? store.endpoints : [];
  return first === undefined ? undefined : tryParseAddress(new URL(first).hostname.replace(/^\[|\]$/g, ''));
}
