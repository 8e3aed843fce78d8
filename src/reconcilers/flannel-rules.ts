/**
 * What a stopped flannel has left that masquerades: it goes on doing so, also when nothing of it is wanted any more. Only
 * named, until the operator says to adopt: then it is taken away, once ours does the same.
 */
import { diff, type Kind } from '../model/diff.js';
import { settledKey } from '../model/keys.js';
import type { FlannelRulesState } from '../model/objects.js';
import { flannelRulesKey } from '../model/traffic-rules.js';
import { type Firewall, SystemError } from '../ports.js';
import { carryOut } from './carry-out.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<FlannelRulesState> = {
  // None is ever wanted.
  differences: () => [],
  deletesAfter: [settledKey('masquerade')],
};

export function flannelRulesReconciler(firewall: Firewall): Reconciler<FlannelRulesState> {
  return {
    name: 'flannel-rules',
    async observe(_desired, signal) {
      const found = await firewall.flannelRules(signal);
      return found.map((state) => ({ key: flannelRulesKey(state), state, ours: false, left: true }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, key, after }) => {
        if (after !== undefined)
          throw new SystemError(`Cannot put back ${key}: only flannel makes it`, 'EOPNOTSUPP');
        if (before !== undefined) await firewall.deleteFlannelRules(before, signal);
      }),
    watch: (wake, signal) => firewall.watch(wake, signal),
  };
}
