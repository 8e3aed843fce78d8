/** Addresses on our devices. */
import { contains } from '../model/address.js';
import { diff, type Kind } from '../model/diff.js';
import { addressKey } from '../model/keys.js';
import type { AddressState } from '../model/objects.js';
import type { Action } from '../model/plan.js';
import type { Netlink } from '../ports.js';
import { carryOutBatched } from './carry-out-batched.js';
import type { Reconciler } from './reconciler.js';
import type { Scope } from './scope.js';

/** Device, address and length are the identity: there is nothing left to differ. */
const kind: Kind<AddressState> = { differences: () => [] };

/** Ours are the addresses on our devices inside our network, as flannel has it; an operator's other ones stay. */
export function addressReconciler(netlink: Netlink, scope: () => Scope): Reconciler<AddressState> {
  return {
    name: 'address',
    async observe() {
      const { devices, networks } = scope();
      return (await netlink.addresses())
        .filter(({ link }) => devices.includes(link))
        .map(({ link, address, length }) => ({
          key: addressKey(link, address, length),
          state: { link, address, length },
          ours: networks.some((network) => contains(network, address)),
        }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOutBatched(actions, signal, netlink, {
        request: (action) => ({ op: opOf(action), ...stateOf(action) }),
        isDoneAlready: ({ verb }, { code }) =>
          verb === 'delete' ? code === 'EADDRNOTAVAIL' || code === 'ENODEV' : code === 'EEXIST',
      }),
    // A device that comes or goes takes its addresses along without a word about them.
    watch: (wake, signal) => netlink.watch(['ipv4-address', 'ipv6-address', 'link'], wake, signal),
  };
}

function opOf({ verb }: Action<AddressState>): 'add-address' | 'delete-address' {
  return verb === 'delete' ? 'delete-address' : 'add-address';
}

function stateOf({ before, after }: Action<AddressState>): AddressState {
  const state = after ?? before;
  if (state === undefined) throw new TypeError('An action without a state cannot be carried out');
  return state;
}
