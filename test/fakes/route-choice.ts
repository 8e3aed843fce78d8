/** What RTM_GETROUTE answers: link, gateway and the source address that a packet would get. */
import { type Address, contains, familyOf } from '../../src/model/address.js';
import type { Netlink, NetlinkAddress, NetlinkRoute } from '../../src/ports.js';
import { type FakeLinks, networkOf } from './fake-links.js';

type Choice = Awaited<ReturnType<Netlink['routeTo']>>;

const WIDTH = { global: 0, site: 1, link: 2, host: 3, nowhere: 4 } as const satisfies Record<
  NetlinkAddress['scope'],
  number
>;

export function routeChoice(destination: Address, route: NetlinkRoute | undefined, links: FakeLinks): Choice {
  if (route?.link === undefined) return undefined;
  const { type, link, via } = route;
  if (type === 'local') return { link: 'lo', source: route.preferredSource ?? destination };
  if (type !== 'unicast' && type !== 'broadcast') return undefined;
  const source = route.preferredSource ?? sourceFor(route, destination, links);
  return { link, ...(source === undefined ? {} : { source }), ...(via === undefined ? {} : { via }) };
}

/** The gateway's own network first, then the link's first address, then that of the oldest link that has one (inet_select_addr). */
function sourceFor(
  { link, via, scope }: NetlinkRoute,
  destination: Address,
  links: FakeLinks,
): Address | undefined {
  const fitting = links
    .addresses()
    .filter((held) => familyOf(held.address) === familyOf(destination))
    .filter((held) => WIDTH[held.scope] <= WIDTH[scope] && !links.isSecondary(held))
    .sort((left, right) => links.get(left.link).index - links.get(right.link).index);
  const onLink = fitting.filter((held) => held.link === link);
  const [chosen] = [
    ...onLink.filter((held) => via !== undefined && contains(networkOf(held), via)),
    ...onLink,
    ...fitting,
  ];
  return chosen?.address;
}
