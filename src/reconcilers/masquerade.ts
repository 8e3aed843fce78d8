/** Masquerade rules: an nft table of our own for each family, kept and replaced as a whole. */
import { FAMILIES } from '../model/address.js';
import { diff, type Kind } from '../model/diff.js';
import type { MasqueradeState, NatRule } from '../model/objects.js';
import { masqueradeKey } from '../model/traffic-rules.js';
import type { Firewall } from '../ports.js';
import { carryOut } from './carry-out.js';
import { keptRules } from './kept-rules.js';
import { listDifferences } from './ordered-list.js';
import type { Reconciler } from './reconciler.js';

const kind: Kind<MasqueradeState> = {
  differences: (want, have) => [
    ...listDifferences(want.rules.map(ruleText), have.rules.map(ruleText), {
      missing: (rule, at) => `rule ${at + 1} is missing: ${rule}`,
      surplus: (rule, at) => `rule ${at + 1} is not wanted: ${rule}`,
      disorder: 'rules are in another order or there twice',
    }),
    ...have.unreadable.map((text) => `unexpected ${text}`),
  ],
};

function ruleText({ mark, source, destination, verdict }: NatRule): string {
  const is = (name: string, match: NatRule['source']) =>
    match === undefined ? [] : [`${name} ${match.negated ? 'not ' : ''}${match.prefix}`];
  return [
    ...(mark === undefined ? [] : [`mark 0x${mark.value.toString(16)}/0x${mark.mask.toString(16)}`]),
    ...is('from', source),
    ...is('to', destination),
    verdict,
  ].join(' ');
}

/** `table` is found, and then removed, also when nothing is wanted any more: its name says that it is ours. */
export function masqueradeReconciler(firewall: Firewall, table: string): Reconciler<MasqueradeState> {
  return {
    name: 'masquerade',
    async observe(_desired, signal) {
      const read = FAMILIES.map((family) => firewall.masquerade(family, table, signal));
      const states = (await Promise.all(read)).filter((state) => state !== undefined);
      return states.map((state) => ({ key: masqueradeKey(state.family, table), state, ours: true }));
    },
    diff: (desired, observed) => diff(kind, desired, observed),
    apply: (actions, signal) =>
      carryOut(actions, signal, async ({ before, after }) => {
        if (after !== undefined) await firewall.replaceMasquerade(after, signal);
        else if (before !== undefined) await firewall.deleteMasquerade(before.family, before.table, signal);
      }),
    keep: (actions, _states, _noted, signal) => keptRules(firewall, 'masquerade', table, actions, signal),
    watch: (wake, signal) => firewall.watch(wake, signal),
  };
}
