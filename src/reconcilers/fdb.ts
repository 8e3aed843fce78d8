/** Forwarding entries of our VXLAN devices: which host a MAC is behind. */
import { diff, type Kind } from '../model/diff.js';
import { fdbKey, settledKey } from '../model/keys.js';
import type { FdbState } from '../model/objects.js';
import type { Netlink } from '../ports.js';
import { carryOutBatched, stateOf } from './carry-out-batched.js';
import { markedDevices, writtenOn } from './marked-devices.js';
import type { Reconciler } from './reconciler.js';
import type { Scope } from './scope.js';

const kind: Kind<FdbState> = {
  differences: (want, have) => [
    ...(have.destination === want.destination ? [] : [`dst ${have.destination}, want ${want.destination}`]),
    // Sent by these, packets reach the right host and nobody there.
    ...Object.entries(have.overrides ?? {}).map(([name, value]) => `${name} ${value}, want the device's`),
  ],
  // With the route gone first, nobody is sent there any more.
  deletesAfter: [settledKey('route')],
};

/**
 * Ours are all permanent ones on the devices that carry `alias`, and some on flannel's (see `writtenOn`). What a device has
 * learned by itself goes by itself.
 */
export function fdbReconciler(netlink: Netlink, alias: string, scope: () => Scope): Reconciler<FdbState> {
  return {
    name: 'fdb',
    async observe(desired, _signal, remade) {
      const devices = await markedDevices(netlink, scope(), alias, remade);
      const lists = await Promise.all(devices.present.map((link) => netlink.fdb(link)));
      const entries = lists.flat().map(({ permanent, ...state }) => ({ permanent, state }));
      return writtenOn(devices, desired, entries, ({ link, mac }) => fdbKey(link, mac));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOutBatched(actions, signal, netlink, {
        request: (action) => ({
          op: action.verb === 'delete' ? 'delete-fdb' : 'replace-fdb',
          ...stateOf(action),
        }),
        isDoneAlready: ({ verb }, { code }) => verb === 'delete' && (code === 'ENOENT' || code === 'ENODEV'),
      }),
    watch: (wake, signal) => netlink.watch(['neighbour', 'link'], wake, signal, () => scope().devices),
  };
}
