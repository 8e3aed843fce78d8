/** Addresses on our devices. */
import { contains, FAMILY_BITS, familyOf } from '../model/address.js';
import { diff, type Kind } from '../model/diff.js';
import { addressKey } from '../model/keys.js';
import type { AddressState } from '../model/objects.js';
import type { Action } from '../model/plan.js';
import type { Netlink } from '../ports.js';
import { carryOutBatched, stateOf } from './carry-out-batched.js';
import { keptRoutesOver } from './kept-devices.js';
import { type Reconciler, together } from './reconciler.js';
import type { Scope } from './scope.js';

/** Device, address and length are the identity: there is nothing left to differ. */
const kind: Kind<AddressState> = { differences: () => [] };

/**
 * Ours are, on devices that carry `alias`, the addresses inside our network, as flannel has it, and those of a host
 * alone, as we write them: one of an earlier network would be the source of the host's own packets. An operator's
 * other ones stay, and so does everything on a device of another's that has our device's name.
 */
export function addressReconciler(
  netlink: Netlink,
  alias: string,
  scope: () => Scope,
): Reconciler<AddressState> {
  return {
    name: 'address',
    async observe(_desired, _signal, remade) {
      const { devices, networks } = scope();
      const [links, addresses] = await Promise.all([netlink.links(), netlink.addresses()]);
      const marked = new Set(links.filter((link) => link.alias === alias).map(({ name }) => name));
      const isOurForm = ({ address, length }: AddressState) =>
        length === FAMILY_BITS[familyOf(address)] || networks.some((network) => contains(network, address));
      return addresses
        .filter(({ link }) => devices.includes(link) && !remade?.has(link))
        .map(({ link, address, length }) => ({ link, address, length }))
        .map((state) => ({
          key: addressKey(state.link, state.address, state.length),
          state,
          ours: marked.has(state.link) && isOurForm(state),
        }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOutBatched(actions, signal, netlink, {
        request: (action) => ({ op: opOf(action), ...stateOf(action) }),
        isDoneAlready: ({ verb }, { code }) =>
          verb === 'delete' ? code === 'EADDRNOTAVAIL' || code === 'ENODEV' : code === 'EEXIST',
      }),
    // One that is added will be the last to go, if it was the first to come.
    keep: async (actions, states, noted) => {
      const addresses = actions.flatMap(({ before, after }) => after ?? before ?? []);
      return together(states, await keptRoutesOver(netlink, addresses, noted));
    },
    // A device that comes or goes takes its addresses along without a word about them.
    watch: (wake, signal) => netlink.watch(['ipv4-address', 'ipv6-address', 'link'], wake, signal),
  };
}

function opOf({ verb }: Action<AddressState>): 'add-address' | 'delete-address' {
  return verb === 'delete' ? 'delete-address' : 'add-address';
}
