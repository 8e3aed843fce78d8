/** Which host `ping` is about, and where it has to ask, layer by layer. Decides only. */
import {
  type Address,
  addressAt,
  baseOf,
  contains,
  type Prefix,
  tryParseAddress,
  tryParsePrefix,
} from './address.js';
import { isSameHost, type PublicIps } from './lease.js';
import { readableLeases, type StoreView } from './store-view.js';

export interface PingTarget {
  readonly subnet: Prefix;
  readonly publicIp: Address;
  /** UDP; absent where nothing is wrapped. */
  readonly port?: number;
  /** The address of the other host's device; absent where the backend has none. */
  readonly overlay?: Address;
  /** The container that was asked for, or else what stands for all of them: the first address, which is their bridge's. */
  readonly container: Address;
}

/** `asked` is a public address, a subnet, or an address of a container; `port`, where packets are wrapped, that of all hosts. */
export function pingTarget(
  asked: string,
  own: PublicIps,
  view: StoreView,
  port: number | undefined,
): PingTarget | { readonly error: string } {
  const address = tryParseAddress(asked);
  const prefix = tryParsePrefix(asked);
  const found = readableLeases(view).flatMap(({ subnets, attributes: { publicIps } }) => {
    const isAsked = (subnet: Prefix | undefined) =>
      subnet !== undefined && (subnet === prefix || (address !== undefined && contains(subnet, address)));
    const isHost = address !== undefined && (publicIps.ipv4 === address || publicIps.ipv6 === address);
    if (!isHost && !isAsked(subnets.ipv4) && !isAsked(subnets.ipv6)) return [];
    const family = isAsked(subnets.ipv6) || subnets.ipv4 === undefined ? 'ipv6' : 'ipv4';
    const [subnet, publicIp] = [subnets[family], publicIps[family] ?? publicIps.ipv4 ?? publicIps.ipv6];
    return subnet === undefined || publicIp === undefined ? [] : [{ subnet, publicIp, publicIps }];
  });
  const [first] = found;
  if (first === undefined) return { error: `nobody leases ${asked}: see \`flannelette leases\`` };
  if (isSameHost(first.publicIps, own)) return { error: `${asked} is this host itself` };
  const { subnet, publicIp } = first;
  const isContainer = address !== undefined && contains(subnet, address);
  return {
    subnet,
    publicIp,
    ...(port !== undefined && { port }),
    // Who wraps packets has a device, and flannel gives it the subnet's own address.
    ...(port !== undefined && { overlay: baseOf(subnet) }),
    container: isContainer ? address : addressAt(subnet, 1),
  };
}
