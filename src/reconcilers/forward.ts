/** The exception from a DROP policy: our own chain in the filter table, and the jump to it from FORWARD. */
import { FAMILIES } from '../model/address.js';
import { diff, type Kind } from '../model/diff.js';
import type { ForwardState } from '../model/objects.js';
import { forwardKey } from '../model/traffic-rules.js';
import type { Firewall } from '../ports.js';
import { carryOut } from './carry-out.js';
import { keptRules } from './kept-rules.js';
import { listDifferences } from './ordered-list.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<ForwardState> = {
  isMarked: true,
  differences: (want, have) => [
    ...listDifferences(want.accept, have.accept, {
      missing: (network) => `${network} is not accepted`,
      surplus: (network) => `${network} is accepted, not wanted`,
      disorder: 'networks are in another order or there twice',
    }),
    ...(have.jump === want.jump ? [] : [`jump from FORWARD is ${want.jump ? 'missing' : 'not wanted'}`]),
    ...have.unreadable.map((text) => `unexpected ${text}`),
  ],
};

/**
 * `chain` is found, and then removed, also when nothing is wanted any more. One that flanneld left is in sync
 * when it says the same as ours would, and in the way when it does not.
 */
export function forwardReconciler(firewall: Firewall, chain: string): Reconciler<ForwardState> {
  return {
    name: 'forward',
    async observe(_desired, signal) {
      const read = FAMILIES.map((family) => firewall.forward(family, chain, signal));
      const found = (await Promise.all(read)).filter((object) => object !== undefined);
      return found.map(({ state, ours }) => ({
        key: forwardKey(state.family, chain),
        state,
        ours,
        left: !ours,
      }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, after }) => {
        if (after !== undefined) await firewall.replaceForward(after, signal);
        else if (before !== undefined) await firewall.deleteForward(before.family, before.chain, signal);
      }),
    keep: (actions, _states, _noted, signal) => keptRules(firewall, 'forward', chain, actions, signal),
    // Changes through legacy tables are not announced: the timer finds those.
    watch: (wake, signal) => firewall.watch(wake, signal),
  };
}
