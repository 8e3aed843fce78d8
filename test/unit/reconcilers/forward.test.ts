import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { ForwardState } from '../../../src/model/objects.js';
import { forwardKey } from '../../../src/model/traffic-rules.js';
import { forwardReconciler } from '../../../src/reconcilers/forward.js';
import { FakeFirewall } from '../../fakes/fake-firewall.js';

const CHAIN = 'FLANNEL-FWD';
const NETWORK = parsePrefix('10.5.0.0/16');
const OTHER = parsePrefix('10.9.0.0/16');
const STATE: ForwardState = { family: 'ipv4', chain: CHAIN, accept: [NETWORK], jump: true, unreadable: [] };
const DESIRED: Desired<ForwardState> = { key: forwardKey('ipv4', CHAIN), state: STATE };
const { signal } = new AbortController();

/** One round: what it planned and what it left alone, as text. */
async function round(firewall: FakeFirewall, desired: readonly Desired<ForwardState>[]) {
  const reconciler = forwardReconciler(firewall, CHAIN);
  const plan = reconciler.diff(desired, await reconciler.observe(desired, signal));
  const results = await reconciler.apply(plan.actions, signal);
  return {
    plan: plan.actions.map(({ verb, key, reason }) => `${verb} ${key}: ${reason}`),
    foreign: plan.foreign.map(({ key, reason }) => `${key}: ${reason}`),
    outcomes: results.map(({ outcome }) => outcome),
  };
}

describe('forward reconciler', () => {
  it('makes the chain once', async () => {
    const firewall = new FakeFirewall();
    const first = await round(firewall, [DESIRED]);
    assert.deepEqual(first.plan, ['create iptables-chain:FLANNEL-FWD: missing']);
    assert.deepEqual(first.outcomes, ['done']);
    assert.deepEqual((await round(firewall, [DESIRED])).plan, []);
    assert.equal(firewall.writes, 1);
  });

  it('removes the chain when nothing is wanted any more', async () => {
    const firewall = new FakeFirewall();
    await round(firewall, [DESIRED]);
    const { plan } = await round(firewall, []);
    assert.deepEqual(plan, ['delete iptables-chain:FLANNEL-FWD: not wanted any more']);
    assert.equal(await firewall.forward('ipv4', CHAIN, signal), undefined);
  });

  const heals: readonly {
    readonly name: string;
    readonly harm: (f: FakeFirewall) => unknown;
    readonly want: string;
  }[] = [
    {
      name: 'a flush of FORWARD',
      harm: (firewall) => firewall.flushForward('ipv4'),
      want: 'jump from FORWARD is missing',
    },
    {
      name: 'a rule of somebody else',
      harm: (firewall) => firewall.addForwardRule('ipv4', CHAIN),
      want: 'unexpected -A FLANNEL-FWD -j LOG',
    },
    {
      name: 'the network of yesterday',
      harm: (firewall) => firewall.replaceForward({ ...STATE, accept: [OTHER] }, signal),
      want: '10.5.0.0/16 is not accepted; 10.9.0.0/16 is accepted, not wanted',
    },
    {
      name: 'a doubled network',
      harm: (firewall) => firewall.replaceForward({ ...STATE, accept: [NETWORK, NETWORK] }, signal),
      want: 'networks are in another order or there twice',
    },
  ];
  for (const { name, harm, want } of heals) {
    it(`heals ${name}`, async () => {
      const firewall = new FakeFirewall();
      await round(firewall, [DESIRED]);
      await harm(firewall);
      assert.deepEqual((await round(firewall, [DESIRED])).plan, [
        `update iptables-chain:FLANNEL-FWD: ${want}`,
      ]);
      assert.deepEqual((await firewall.forward('ipv4', CHAIN, signal))?.state, STATE);
    });
  }

  it("leaves flanneld's chain alone when it says the same", async () => {
    const firewall = new FakeFirewall();
    firewall.makeFlanneldChain(CHAIN, NETWORK);
    const writes = firewall.writes;
    assert.deepEqual(await round(firewall, [DESIRED]), { plan: [], foreign: [], outcomes: [] });
    const { plan, foreign } = await round(firewall, []);
    assert.deepEqual(plan, []);
    assert.deepEqual(foreign, ['iptables-chain:FLANNEL-FWD: left by flannel: apply --adopt takes it away']);
    assert.equal(firewall.writes, writes);
  });

  it("reports flanneld's chain when it says something else", async () => {
    const firewall = new FakeFirewall();
    firewall.makeFlanneldChain(CHAIN, OTHER);
    const writes = firewall.writes;
    const { plan, foreign } = await round(firewall, [DESIRED]);
    assert.deepEqual(plan, []);
    assert.deepEqual(foreign, [
      'iptables-chain:FLANNEL-FWD: not ours: 10.5.0.0/16 is not accepted; 10.9.0.0/16 is accepted, not wanted',
    ]);
    assert.equal(firewall.writes, writes);
  });

  it('reports a failed write as a result', async () => {
    const firewall = new FakeFirewall();
    firewall.failure = { writes: new Error('Cannot run "iptables": it is not installed (ENOENT)') };
    assert.deepEqual((await round(firewall, [DESIRED])).outcomes, ['failed']);
  });

  it('rejects when it is aborted', async () => {
    const reason = new Error('stop');
    const aborted = AbortSignal.abort(reason);
    const reconciler = forwardReconciler(new FakeFirewall(), CHAIN);
    const { actions } = reconciler.diff([DESIRED], []);
    await assert.rejects(reconciler.observe([DESIRED], aborted), reason);
    await assert.rejects(reconciler.apply(actions, aborted), reason);
  });

  it('is woken by a change', () => {
    const firewall = new FakeFirewall();
    let wakes = 0;
    forwardReconciler(firewall, CHAIN).watch?.(() => wakes++, signal);
    firewall.flushForward('ipv4');
    assert.equal(wakes, 1);
  });
});
