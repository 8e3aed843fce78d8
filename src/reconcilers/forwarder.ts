/** The packet loop itself: what it runs with. */
import { diff, type Kind } from '../model/diff.js';
import { forwarderKey, settledKey } from '../model/keys.js';
import type { ForwarderState } from '../model/objects.js';
import type { DataPlane, Netlink } from '../ports.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<ForwarderState> = {
  missing: () => 'not running',
  differences(want, have) {
    const differences: string[] = [];
    const compare = (name: string, wanted: unknown, found: unknown) => {
      if (wanted !== found) differences.push(`${name} ${found}, want ${wanted}`);
    };
    compare('bind address', want.bind.address, have.bind.address);
    compare('port', want.bind.port, have.bind.port);
    for (const field of [
      'workers',
      'mtu',
      'tunAddress',
      'subnet',
      'publicIp',
      'sourceCheck',
      'offload',
      'fastPath',
    ] as const) {
      compare(field, want[field], have[field]);
    }
    return differences;
  },
  interrupts: (verb, want, have) =>
    verb === 'delete' ||
    (verb === 'update' &&
      (want?.workers !== have?.workers ||
        want?.bind.port !== have?.bind.port ||
        want?.offload !== have?.offload)),
  // A former backend's packet loop carries packets until the routes are those of the next.
  deletesAfter: [settledKey('route')],
};

export function forwarderReconciler(dataPlane: DataPlane, netlink: Netlink): Reconciler<ForwarderState> {
  return {
    name: 'forwarder',
    async observe() {
      const state = dataPlane.forwarder();
      return state === undefined ? [] : [{ key: forwarderKey(state.tun), state, ours: true }];
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ after }) => {
        if (after === undefined) await dataPlane.shutDown(signal);
        else await dataPlane.configure(after, signal);
      }),
    watch: (wake, signal) => {
      dataPlane.watch(wake, signal);
      // The loop itself does not see that its device bears another name now, or is in another namespace.
      netlink.watch(['link'], wake, signal);
    },
  };
}
