import assert from 'node:assert/strict';
import test from 'node:test';
import { adopted } from '../../../src/model/diff.js';
import type { FlannelRulesState } from '../../../src/model/objects.js';
import { flannelRulesReconciler } from '../../../src/reconcilers/flannel-rules.js';
import { FakeFirewall } from '../../fakes/fake-firewall.js';

const LEFT: readonly FlannelRulesState[] = [
  { family: 'ipv4', place: 'iptables', name: 'FLANNEL-POSTRTG' },
  { family: 'ipv6', place: 'iptables-legacy', name: 'FLANNEL-POSTRTG' },
  { family: 'ipv4', place: 'nft', name: 'flannel-ipv4' },
];
const { signal } = new AbortController();

function world() {
  const firewall = new FakeFirewall();
  for (const state of LEFT) firewall.makeFlannelRules(state);
  return { firewall, reconciler: flannelRulesReconciler(firewall) };
}

test('what flannel masqueraded by is named, with the remedy, and stays', async () => {
  const { reconciler } = world();
  const { actions, foreign } = reconciler.diff([], await reconciler.observe([], signal));
  assert.deepEqual(actions, []);
  const reason = 'left by flannel: apply --adopt takes it away';
  assert.deepEqual(
    foreign.map(({ key, ...rest }) => [key, rest]),
    [
      'ip6tables-legacy-chain:nat FLANNEL-POSTRTG',
      'iptables-chain:nat FLANNEL-POSTRTG',
      'nft-table:ip flannel-ipv4',
    ].map((key) => [key, { reason, blocks: false }]),
  );
});

test('adopted it is taken away, once we masquerade ourselves', async () => {
  const { firewall, reconciler } = world();
  const { actions } = reconciler.diff([], adopted(await reconciler.observe([], signal)));
  assert.deepEqual(
    actions.map(({ verb, reason, requires }) => [verb, reason, requires]),
    LEFT.map(() => ['delete', 'left by flannel, not wanted', ['settled:masquerade']]),
  );
  const results = await reconciler.apply(actions, signal);
  assert.ok(results.every(({ outcome }) => outcome === 'done'));
  assert.deepEqual(await firewall.flannelRules(signal), []);
});
