/** The rows of the packet loop's table: which host takes the packets to which subnet. */
import { DerivedList } from '../model/derived-list.js';
import type { Kind, Observed } from '../model/diff.js';
import { DiffMemory } from '../model/diff-memory.js';
import { peerKey, settledKey } from '../model/keys.js';
import type { PeerState } from '../model/objects.js';
import type { ActionResult } from '../model/plan.js';
import { asError, type DataPlane } from '../ports.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<PeerState> = {
  differences(want, have) {
    const differences: string[] = [];
    if (have.publicIp !== want.publicIp) differences.push(`at ${have.publicIp}, want ${want.publicIp}`);
    if (have.port !== want.port) differences.push(`port ${have.port}, want ${want.port}`);
    return differences;
  },
  // The kernel must not lead packets here that nobody knows a way for.
  deletesAfter: [settledKey('route')],
};

export function peerReconciler(dataPlane: DataPlane): Reconciler<PeerState> {
  const rows = new DerivedList<PeerState, Observed<PeerState>>(({ key }) => key);
  const comparison = new DiffMemory(kind);
  return {
    name: 'peer',
    async observe() {
      return rows.listOf(dataPlane.peers(), undefined, (state) => ({
        key: peerKey(state.subnet),
        state,
        ours: true,
      }));
    },
    diff: (desired, observed) => comparison.plan(desired, observed),
    /** All rows in one message: they take effect together. */
    async apply(actions, signal) {
      signal.throwIfAborted();
      const set = actions.flatMap(({ after }) => (after === undefined ? [] : [after]));
      const remove = actions.flatMap(({ verb, before }) =>
        verb === 'delete' && before !== undefined ? [before.subnet] : [],
      );
      try {
        await dataPlane.updatePeers({ set, remove }, signal);
        return actions.map(({ key }): ActionResult => ({ key, outcome: 'done' }));
      } catch (thrown) {
        signal.throwIfAborted();
        const error = asError(thrown);
        return actions.map(({ key }): ActionResult => ({ key, outcome: 'failed', error }));
      }
    },
    watch: (wake, signal) => dataPlane.watch(wake, signal),
  };
}
