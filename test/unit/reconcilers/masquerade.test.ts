import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { MasqueradeState, NatRule } from '../../../src/model/objects.js';
import { masqueradeKey, masqueradeRules } from '../../../src/model/traffic-rules.js';
import { masqueradeReconciler } from '../../../src/reconcilers/masquerade.js';
import { FakeFirewall } from '../../fakes/fake-firewall.js';

const TABLE = 'flannelette-flannel0';
const RULES = masqueradeRules(parsePrefix('10.5.0.0/16'), parsePrefix('10.5.34.0/24'));
const STATE: MasqueradeState = { family: 'ipv4', table: TABLE, rules: RULES, unreadable: [] };
const DESIRED: Desired<MasqueradeState> = { key: masqueradeKey('ipv4', TABLE), state: STATE };
const { signal } = new AbortController();

/** One round: what it planned, as text, and what came of it. */
async function round(firewall: FakeFirewall, desired: readonly Desired<MasqueradeState>[]) {
  const reconciler = masqueradeReconciler(firewall, TABLE);
  const plan = reconciler.diff(desired, await reconciler.observe(desired, signal));
  const results = await reconciler.apply(plan.actions, signal);
  return {
    plan: plan.actions.map(({ verb, key, reason }) => `${verb} ${key}: ${reason}`),
    outcomes: results.map(({ outcome }) => outcome),
    errors: results.map(({ error }) => error),
  };
}

describe('masquerade reconciler', () => {
  it('makes the table once', async () => {
    const firewall = new FakeFirewall();
    const first = await round(firewall, [DESIRED]);
    assert.deepEqual(first.plan, [`create nft-table:ip ${TABLE}: missing`]);
    assert.deepEqual(first.outcomes, ['done']);
    const second = await round(firewall, [DESIRED]);
    assert.deepEqual(second.plan, []);
    assert.equal(firewall.writes, 1);
  });

  it('removes the table when nothing is wanted any more, and only then', async () => {
    const firewall = new FakeFirewall();
    await round(firewall, [DESIRED]);
    const { plan } = await round(firewall, []);
    assert.deepEqual(plan, [`delete nft-table:ip ${TABLE}: not wanted any more`]);
    assert.equal(await firewall.masquerade('ipv4', TABLE, signal), undefined);
    assert.deepEqual((await round(firewall, [])).plan, []);
  });

  it('does not see the table of another instance', async () => {
    const firewall = new FakeFirewall();
    await firewall.replaceMasquerade({ ...STATE, table: 'flannelette-green' }, signal);
    assert.deepEqual((await round(firewall, [])).plan, []);
  });

  it('heals a table to which somebody added a rule', async () => {
    const firewall = new FakeFirewall();
    await round(firewall, [DESIRED]);
    firewall.addNatRule('ipv4', TABLE);
    const { plan } = await round(firewall, [DESIRED]);
    assert.deepEqual(plan, [`update nft-table:ip ${TABLE}: unexpected rule {"expr":[{"drop":null}]}`]);
    assert.deepEqual(await firewall.masquerade('ipv4', TABLE, signal), STATE);
  });

  const [marked, outwards, ...rest] = RULES as [NatRule, NatRule, ...NatRule[]];
  const reasons: readonly {
    readonly name: string;
    readonly have: readonly NatRule[];
    readonly want: string;
  }[] = [
    {
      name: 'a missing rule',
      have: [marked, ...rest],
      want: 'rule 2 is missing: from 10.5.34.0/24 to 10.5.0.0/16 return',
    },
    {
      name: 'a missing rule about the mark',
      have: [outwards, ...rest],
      want: 'rule 1 is missing: mark 0x4000/0x4000 return',
    },
    {
      name: 'a rule too many',
      have: [marked, { verdict: 'masquerade' }, outwards, ...rest],
      want: 'rule 2 is not wanted: masquerade',
    },
    {
      name: 'a changed rule',
      have: [...RULES.slice(0, 5), { ...RULES[5], verdict: 'return' } as NatRule],
      want:
        'rule 6 is missing: from not 10.5.0.0/16 to 10.5.0.0/16 masquerade; ' +
        'rule 6 is not wanted: from not 10.5.0.0/16 to 10.5.0.0/16 return',
    },
    {
      name: 'another order',
      have: [...RULES].reverse(),
      want: 'rules are in another order or there twice',
    },
    {
      name: 'a doubled rule',
      have: [...RULES, ...RULES.slice(5)],
      want: 'rules are in another order or there twice',
    },
  ];
  for (const { name, have, want } of reasons) {
    it(`names ${name}`, async () => {
      const firewall = new FakeFirewall();
      await firewall.replaceMasquerade({ ...STATE, rules: have }, signal);
      assert.deepEqual((await round(firewall, [DESIRED])).plan, [`update nft-table:ip ${TABLE}: ${want}`]);
      assert.deepEqual((await round(firewall, [DESIRED])).plan, []);
    });
  }

  it('reports a failed write as a result', async () => {
    const firewall = new FakeFirewall();
    const error = new Error('Cannot run "nft": it is not installed (ENOENT)');
    firewall.failure = { writes: error };
    const { outcomes, errors } = await round(firewall, [DESIRED]);
    assert.deepEqual(outcomes, ['failed']);
    assert.deepEqual(errors, [error]);
  });

  it('changes nothing when it cannot observe', async () => {
    const firewall = new FakeFirewall();
    await round(firewall, [DESIRED]);
    const error = new Error('Cannot list table');
    firewall.failure = { reads: error };
    await assert.rejects(round(firewall, []), error);
    assert.equal(firewall.writes, 1);
  });

  it('is woken by a change', () => {
    const firewall = new FakeFirewall();
    let wakes = 0;
    masqueradeReconciler(firewall, TABLE).watch?.(() => wakes++, signal);
    firewall.flushRuleset();
    assert.equal(wakes, 1);
  });
});
