/**
 * What sits on devices that are about to go, or to be made anew: it goes with them, whoever put it there. Device settings
 * are those that an operator may have written; what the kernel makes by itself comes by itself.
 */
import { familyOf } from '../model/address.js';
import { addressKey, fdbKey, neighbourKey, routeKey, sysctlKey } from '../model/keys.js';
import type { AddressState } from '../model/objects.js';
import type { Netlink, NetlinkAddress, NetlinkRequest, NetlinkRoute, Sysctls } from '../ports.js';
import type { Keepsake } from './reconciler.js';

const RTPROT_KERNEL = 2;
const LOCAL_TABLE = 255;

/** linux/Documentation/networking/ip-sysctl.rst. */
const SETTINGS = [
  ...['accept_local', 'accept_redirects', 'arp_announce', 'arp_filter', 'arp_ignore', 'forwarding'],
  ...['log_martians', 'proxy_arp', 'route_localnet', 'rp_filter', 'send_redirects', 'src_valid_mark'],
].map((name) => `net.ipv4.conf.%.${name}`);
const IPV6_SETTINGS = ['accept_ra', 'disable_ipv6', 'forwarding'].map((name) => `net.ipv6.conf.%.${name}`);

/** One thing on a device: how it is told from others, and how it is put there again. */
interface Piece {
  readonly name: string;
  /** Where two pieces of one name may differ. */
  readonly value: string;
  readonly request: NetlinkRequest | { readonly setting: string };
}

export function keptDevices(
  netlink: Netlink,
  sysctls: Sysctls,
  devices: readonly string[],
  noted: ReadonlySet<string>,
): Promise<Keepsake> {
  return keptPieces(netlink, sysctls, noted, () => piecesOn(netlink, sysctls, devices));
}

/** Routes that go with an address: those with it as their source, and with a device's last one all over that. */
export function keptRoutesOver(
  netlink: Netlink,
  addresses: readonly AddressState[],
  noted: ReadonlySet<string>,
): Promise<Keepsake> {
  const goesWith = ({ preferredSource, link }: NetlinkRoute) =>
    addresses.some((held) => held.address === preferredSource || held.link === link);
  const pieces = async () =>
    addresses.length === 0 ? [] : (await netlink.routes()).filter(goesWith).flatMap(routePiece);
  return keptPieces(netlink, undefined, noted, pieces);
}

async function keptPieces(
  netlink: Netlink,
  sysctls: Sysctls | undefined,
  noted: ReadonlySet<string>,
  pieces: () => Promise<readonly Piece[]>,
): Promise<Keepsake> {
  const were = (await pieces()).filter(({ name }) => !noted.has(name));
  const missing = async () => {
    const there = new Set((await pieces()).map(({ name, value }) => `${name} ${value}`));
    return were.filter(({ name, value }) => !there.has(`${name} ${value}`));
  };
  return {
    claims: new Set(were.map(({ name }) => name)),
    // What is new there goes by itself, or with the device.
    takeAway: async () => {},
    async bringBack() {
      // One by one: a route needs the address that is its source.
      for (const { value, request } of await missing()) {
        if ('setting' in request) await sysctls?.write({ name: request.setting, value });
        else {
          const [error] = await netlink.request([request]);
          if (error !== undefined && error.code !== 'EEXIST') throw error;
        }
      }
    },
    differences: async () => (await missing()).map(({ name }) => `${name}: was there, is not`),
  };
}

async function piecesOn(
  netlink: Netlink,
  sysctls: Sysctls,
  devices: readonly string[],
): Promise<readonly Piece[]> {
  if (devices.length === 0) return [];
  const [addresses, routes, ...entries] = await Promise.all([
    netlink.addresses(),
    netlink.routes(),
    ...devices.map(async (device) => ({
      settings: await settingsOf(sysctls, device),
      neighbours: await netlink.neighbours(device),
      fdb: await netlink.fdb(device),
    })),
  ]);
  return [
    ...entries.flatMap(({ settings }) => settings),
    ...addresses.filter(({ link }) => devices.includes(link)).flatMap(addressPiece),
    ...routes.filter(({ link }) => devices.includes(link ?? '')).flatMap(routePiece),
    ...entries.flatMap(({ neighbours }) =>
      neighbours
        .filter(({ permanent }) => permanent)
        .map(({ permanent: _, ...state }) => ({
          name: neighbourKey(state.link, state.address),
          value: state.mac,
          request: { op: 'replace-neighbour', ...state } as const,
        })),
    ),
    ...entries.flatMap(({ fdb }) =>
      fdb
        .filter(({ permanent }) => permanent)
        .map(({ permanent: _, ...state }) => ({
          name: fdbKey(state.link, state.mac),
          value: JSON.stringify(state),
          request: { op: 'replace-fdb', ...state } as const,
        })),
    ),
  ];
}

async function settingsOf(sysctls: Sysctls, device: string): Promise<readonly Piece[]> {
  const name = device.replaceAll('.', '/');
  const values = [...SETTINGS, ...IPV6_SETTINGS].map(async (pattern) => {
    const setting = pattern.replace('%', name);
    const value = await sysctls.read(setting);
    return value === undefined ? [] : [{ name: sysctlKey(setting), value, request: { setting } }];
  });
  return (await Promise.all(values)).flat();
}

/** Not those of the link itself, and not what a router has lent. */
function addressPiece({ link, address, length, scope, permanent }: NetlinkAddress): readonly Piece[] {
  const isKernels = familyOf(address) === 'ipv6' && scope === 'link';
  if (isKernels || !permanent) return [];
  const name = addressKey(link, address, length);
  return [{ name, value: '', request: { op: 'add-address', link, address, length } }];
}

function routePiece(route: NetlinkRoute): readonly Piece[] {
  const { type, multipath, ...spec } = route;
  const isOrdinary = type === 'unicast' && !multipath && spec.table !== LOCAL_TABLE;
  if (!isOrdinary || spec.protocol === RTPROT_KERNEL) return [];
  return [
    { name: routeKey(route), value: JSON.stringify(spec), request: { op: 'replace-route', route: spec } },
  ];
}
