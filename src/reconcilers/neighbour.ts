/** Permanent neighbours on our devices: with one there, the kernel asks nobody where an address is. */
import { diff, type Kind } from '../model/diff.js';
import { neighbourKey, settledKey } from '../model/keys.js';
import type { NeighbourState } from '../model/objects.js';
import type { Netlink } from '../ports.js';
import { carryOutBatched, stateOf } from './carry-out-batched.js';
import { markedDevices, writtenOn } from './marked-devices.js';
import type { Reconciler } from './reconciler.js';
import type { Scope } from './scope.js';

const kind: Kind<NeighbourState> = {
  differences: (want, have) => (have.mac === want.mac ? [] : [`lladdr ${have.mac}, want ${want.mac}`]),
  // With the route gone first, the kernel has nobody to ask for.
  deletesAfter: [settledKey('route')],
};

/**
 * Ours are all permanent ones on the devices that carry `alias`, and some on flannel's (see `writtenOn`). What the kernel
 * has learned by itself is no object of anybody's.
 */
export function neighbourReconciler(
  netlink: Netlink,
  alias: string,
  scope: () => Scope,
): Reconciler<NeighbourState> {
  return {
    name: 'neighbour',
    async observe(desired, _signal, remade) {
      const devices = await markedDevices(netlink, scope(), alias, remade);
      const lists = await Promise.all(devices.present.map((link) => netlink.neighbours(link)));
      const entries = lists.flat().map(({ permanent, ...state }) => ({ permanent, state }));
      return writtenOn(devices, desired, entries, ({ link, address }) => neighbourKey(link, address));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOutBatched(actions, signal, netlink, {
        // Replaces what the kernel may have learned of the address meanwhile.
        request: (action) => ({
          op: action.verb === 'delete' ? 'delete-neighbour' : 'replace-neighbour',
          ...stateOf(action),
        }),
        isDoneAlready: ({ verb }, { code }) => verb === 'delete' && (code === 'ENOENT' || code === 'ENODEV'),
      }),
    // A device that goes down or away takes its entries along without a word about them.
    watch: (wake, signal) => netlink.watch(['neighbour', 'link'], wake, signal, () => scope().devices),
  };
}
