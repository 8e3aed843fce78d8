/** What every Firewall does, over the fake in test/unit and over the real programs in test/kernel. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Family, type Prefix, parsePrefix } from '../../src/model/address.js';
import type { FlannelRulesState, ForwardState, MasqueradeState } from '../../src/model/objects.js';
import { masqueradeRules } from '../../src/model/traffic-rules.js';
import type { Firewall } from '../../src/ports.js';
import { eventually } from '../lab/eventually.js';

/** A firewall, and others who do something to it. */
export interface FirewallWorld {
  readonly firewall: Firewall;
  /** Adds a rule that is none of ours to our table. */
  addNatRule(family: Family, table: string): Promise<void>;
  /** Adds a rule that is none of ours to our chain. */
  addForwardRule(family: Family, chain: string): Promise<void>;
  makeFlanneldChain(chain: string, network: Prefix): Promise<void>;
  /** As flannel makes it, with the rule that leads there. */
  makeFlannelRules(state: FlannelRulesState, network: Prefix): Promise<void>;
  flushForward(family: Family): Promise<void>;
  flushRuleset(): Promise<void>;
}

/** Runs `body` in a world in which there is no rule yet. */
export type WithFirewall = (body: (world: FirewallWorld) => Promise<void>) => Promise<void>;

const TABLE = 'flannelette-flannel0';
const CHAIN = 'FLANNEL-FWD';
const NETWORK = { ipv4: parsePrefix('10.5.0.0/16'), ipv6: parsePrefix('fd00:5::/48') };
const SUBNET = { ipv4: parsePrefix('10.5.34.0/24'), ipv6: parsePrefix('fd00:5:0:22::/64') };
const FAMILIES = ['ipv4', 'ipv6'] as const;
const WAKE_MS = 5000;

const { signal } = new AbortController();

function masquerade(family: Family, change: Partial<MasqueradeState> = {}): MasqueradeState {
  const rules = masqueradeRules(NETWORK[family], SUBNET[family]);
  return { family, table: TABLE, rules, unreadable: [], ...change };
}

function forward(family: Family, change: Partial<ForwardState> = {}): ForwardState {
  return { family, chain: CHAIN, accept: [NETWORK[family]], jump: true, unreadable: [], ...change };
}

export function firewallContract(implementation: string, withFirewall: WithFirewall): void {
  const test = (name: string, body: (world: FirewallWorld) => Promise<void>) =>
    it(name, () => withFirewall(body));

  describe(`${implementation}: masquerade`, () => {
    for (const family of FAMILIES) {
      test(`gives back what was written, ${family}`, async ({ firewall }) => {
        const state = masquerade(family);
        await firewall.replaceMasquerade(state, signal);
        assert.deepEqual(await firewall.masquerade(family, TABLE, signal), state);
      });

      test(`gives back every form of rule, ${family}`, async ({ firewall }) => {
        const one = parsePrefix({ ipv4: '10.5.34.7/32', ipv6: '::ffff:1.2.3.4/128' }[family]);
        const state = masquerade(family, {
          rules: [
            { verdict: 'masquerade' },
            { source: { prefix: one, negated: false }, verdict: 'return' },
            { destination: { prefix: one, negated: true }, verdict: 'masquerade' },
            { mark: { value: 0xfffffffe, mask: 0xffffffff }, verdict: 'return' },
            { mark: { value: 0x80000000, mask: 0x80000001 }, verdict: 'return' },
            {
              mark: { value: 0, mask: 1 },
              source: { prefix: NETWORK[family], negated: true },
              destination: { prefix: SUBNET[family], negated: false },
              verdict: 'masquerade',
            },
          ],
        });
        await firewall.replaceMasquerade(state, signal);
        assert.deepEqual(await firewall.masquerade(family, TABLE, signal), state);
      });

      test(`shows a rule of somebody else until it is replaced, ${family}`, async ({
        firewall,
        addNatRule,
      }) => {
        const state = masquerade(family);
        await firewall.replaceMasquerade(state, signal);
        await addNatRule(family, TABLE);
        const found = await firewall.masquerade(family, TABLE, signal);
        assert.deepEqual(found?.rules, state.rules);
        assert.equal(found?.unreadable.length, 1);
        await firewall.replaceMasquerade(state, signal);
        assert.deepEqual(await firewall.masquerade(family, TABLE, signal), state);
      });
    }

    test("puts back a table with somebody else's rule in it, and takes away one that was not there", async ({
      firewall,
      addNatRule,
    }) => {
      for (const family of FAMILIES) {
        const place = { what: 'masquerade', family, name: TABLE } as const;
        assert.equal(await firewall.copyOf(place, signal), undefined);
        await firewall.replaceMasquerade(masquerade(family), signal);
        await addNatRule(family, TABLE);
        const [before, copy] = [
          await firewall.masquerade(family, TABLE, signal),
          await firewall.copyOf(place, signal),
        ];
        await firewall.replaceMasquerade(masquerade(family, { rules: [{ verdict: 'return' }] }), signal);
        await firewall.putBack(place, copy, signal);
        assert.deepEqual(await firewall.masquerade(family, TABLE, signal), before);
        assert.equal(await firewall.copyOf(place, signal), copy);
        await firewall.putBack(place, undefined, signal);
        assert.equal(await firewall.masquerade(family, TABLE, signal), undefined);
        await firewall.putBack(place, copy, signal);
        assert.deepEqual(await firewall.masquerade(family, TABLE, signal), before);
      }
    });

    test('is undefined where there is no table', async ({ firewall }) => {
      for (const family of FAMILIES)
        assert.equal(await firewall.masquerade(family, TABLE, signal), undefined);
    });

    test('keeps tables and families apart', async ({ firewall }) => {
      const [ours, other] = [masquerade('ipv4'), masquerade('ipv4', { table: 'flannelette-green' })];
      for (const state of [ours, other, masquerade('ipv6')]) await firewall.replaceMasquerade(state, signal);
      await firewall.deleteMasquerade('ipv4', TABLE, signal);
      assert.equal(await firewall.masquerade('ipv4', TABLE, signal), undefined);
      assert.deepEqual(await firewall.masquerade('ipv4', other.table, signal), other);
      assert.deepEqual(await firewall.masquerade('ipv6', TABLE, signal), masquerade('ipv6'));
    });

    test('replaces longer by shorter', async ({ firewall }) => {
      await firewall.replaceMasquerade(masquerade('ipv4'), signal);
      const short = masquerade('ipv4', { rules: [{ verdict: 'return' }] });
      await firewall.replaceMasquerade(short, signal);
      assert.deepEqual(await firewall.masquerade('ipv4', TABLE, signal), short);
    });

    test('writes all or nothing', async ({ firewall }) => {
      const state = masquerade('ipv4');
      await firewall.replaceMasquerade(state, signal);
      const wrong = { source: { prefix: NETWORK.ipv6, negated: false }, verdict: 'return' } as const;
      const half = masquerade('ipv4', { rules: [{ verdict: 'return' }, wrong] });
      await assert.rejects(firewall.replaceMasquerade(half, signal), { code: 'EINVAL' });
      assert.deepEqual(await firewall.masquerade('ipv4', TABLE, signal), state);
    });

    test('refuses to write what it could not read', async ({ firewall }) => {
      const state = masquerade('ipv4', { unreadable: ['rule {"expr":[]}'] });
      await assert.rejects(firewall.replaceMasquerade(state, signal), { code: 'EINVAL' });
      assert.equal(await firewall.masquerade('ipv4', TABLE, signal), undefined);
    });

    test('deletes what is gone already', async ({ firewall }) => {
      await firewall.deleteMasquerade('ipv4', TABLE, signal);
      await firewall.replaceMasquerade(masquerade('ipv4'), signal);
      await firewall.deleteMasquerade('ipv4', TABLE, signal);
      await firewall.deleteMasquerade('ipv4', TABLE, signal);
      assert.equal(await firewall.masquerade('ipv4', TABLE, signal), undefined);
    });
  });

  describe(`${implementation}: forward`, () => {
    for (const family of FAMILIES) {
      test(`gives back what was written, as ours, ${family}`, async ({ firewall }) => {
        for (const state of [
          forward(family),
          forward(family, { accept: [SUBNET[family], NETWORK[family]] }),
          forward(family, { jump: false }),
          forward(family, { accept: [] }),
        ]) {
          await firewall.replaceForward(state, signal);
          assert.deepEqual(await firewall.forward(family, CHAIN, signal), { state, ours: true });
        }
      });

      test(`finds the jump missing after a flush of FORWARD, ${family}`, async ({
        firewall,
        flushForward,
      }) => {
        const state = forward(family);
        await firewall.replaceForward(state, signal);
        await flushForward(family);
        const found = await firewall.forward(family, CHAIN, signal);
        assert.deepEqual(found, { state: { ...state, jump: false }, ours: true });
        await firewall.replaceForward(state, signal);
        assert.deepEqual((await firewall.forward(family, CHAIN, signal))?.state, state);
      });

      test(`shows a rule of somebody else until it is replaced, ${family}`, async (world) => {
        const { firewall } = world;
        const state = forward(family);
        await firewall.replaceForward(state, signal);
        await world.addForwardRule(family, CHAIN);
        const found = await firewall.forward(family, CHAIN, signal);
        assert.deepEqual(found, { state: { ...state, unreadable: [`-A ${CHAIN} -j LOG`] }, ours: true });
        await firewall.replaceForward(state, signal);
        assert.deepEqual((await firewall.forward(family, CHAIN, signal))?.state, state);
      });

      test(`sees that a chain is flanneld's, and takes it over when told to, ${family}`, async (world) => {
        const { firewall } = world;
        const state = forward(family);
        await world.makeFlanneldChain(CHAIN, NETWORK[family]);
        assert.deepEqual(await firewall.forward(family, CHAIN, signal), { state, ours: false });
        await firewall.replaceForward(state, signal);
        assert.deepEqual(await firewall.forward(family, CHAIN, signal), { state, ours: true });
        await firewall.deleteForward(family, CHAIN, signal);
        assert.equal(await firewall.forward(family, CHAIN, signal), undefined);
      });
    }

    test('puts back a chain with the rules and jumps of others, and takes away one that was not there', async (world) => {
      const { firewall } = world;
      for (const family of FAMILIES) {
        const place = { what: 'forward', family, name: CHAIN } as const;
        assert.equal(await firewall.copyOf(place, signal), undefined);
        await world.makeFlanneldChain(CHAIN, NETWORK[family]);
        await world.addForwardRule(family, CHAIN);
        const [before, copy] = [
          await firewall.forward(family, CHAIN, signal),
          await firewall.copyOf(place, signal),
        ];
        await firewall.replaceForward(forward(family, { accept: [SUBNET[family]] }), signal);
        await firewall.putBack(place, copy, signal);
        assert.deepEqual(await firewall.forward(family, CHAIN, signal), before);
        assert.equal(await firewall.copyOf(place, signal), copy);
        await firewall.putBack(place, undefined, signal);
        assert.equal(await firewall.forward(family, CHAIN, signal), undefined);
        await firewall.putBack(place, copy, signal);
        assert.deepEqual(await firewall.forward(family, CHAIN, signal), before);
      }
    });

    test('is undefined where there is no chain', async ({ firewall }) => {
      for (const family of FAMILIES) assert.equal(await firewall.forward(family, CHAIN, signal), undefined);
    });

    test('keeps chains and families apart', async ({ firewall }) => {
      const other = forward('ipv4', { chain: 'FLANNEL-FWD-green' });
      for (const state of [forward('ipv4'), other, forward('ipv6')])
        await firewall.replaceForward(state, signal);
      await firewall.deleteForward('ipv4', CHAIN, signal);
      assert.equal(await firewall.forward('ipv4', CHAIN, signal), undefined);
      assert.deepEqual((await firewall.forward('ipv4', other.chain, signal))?.state, other);
      assert.deepEqual((await firewall.forward('ipv6', CHAIN, signal))?.state, forward('ipv6'));
    });

    test('refuses a name that is longer than the kernel takes, and what it could not read', async ({
      firewall,
    }) => {
      const longest = forward('ipv4', { chain: 'FLANNEL-FWD-abcdefghijklmnop' });
      await firewall.replaceForward(longest, signal);
      assert.deepEqual((await firewall.forward('ipv4', longest.chain, signal))?.state, longest);
      for (const state of [
        forward('ipv4', { chain: `${longest.chain}q` }),
        forward('ipv4', { unreadable: ['-A FLANNEL-FWD -j LOG'] }),
      ]) {
        await assert.rejects(firewall.replaceForward(state, signal), { code: 'EINVAL' });
        assert.equal(await firewall.forward('ipv4', state.chain, signal), undefined);
      }
    });

    test('deletes what is gone already', async ({ firewall }) => {
      await firewall.deleteForward('ipv4', CHAIN, signal);
      await firewall.replaceForward(forward('ipv4'), signal);
      await firewall.deleteForward('ipv4', CHAIN, signal);
      await firewall.deleteForward('ipv4', CHAIN, signal);
      assert.equal(await firewall.forward('ipv4', CHAIN, signal), undefined);
    });
  });

  describe(`${implementation}: what flannel has left`, () => {
    const LEFT: readonly FlannelRulesState[] = FAMILIES.flatMap((family) => [
      { family, place: 'iptables', name: 'FLANNEL-POSTRTG' },
      { family, place: 'iptables-legacy', name: 'FLANNEL-POSTRTG' },
      { family, place: 'nft', name: family === 'ipv4' ? 'flannel-ipv4' : 'flannel-ipv6' },
    ]);

    test('is found in each place, and goes from there alone', async ({ firewall, makeFlannelRules }) => {
      assert.deepEqual(await firewall.flannelRules(signal), []);
      for (const state of LEFT) await makeFlannelRules(state, NETWORK[state.family]);
      for (let first = 0; first < LEFT.length; first++) {
        assert.deepEqual(await firewall.flannelRules(signal), LEFT.slice(first));
        await firewall.deleteFlannelRules(LEFT[first] as FlannelRulesState, signal);
      }
      assert.deepEqual(await firewall.flannelRules(signal), []);
      for (const state of LEFT) await firewall.deleteFlannelRules(state, signal);
    });

    test('is nothing of ours', async ({ firewall }) => {
      await firewall.replaceMasquerade(masquerade('ipv4'), signal);
      await firewall.replaceForward(forward('ipv4'), signal);
      assert.deepEqual(await firewall.flannelRules(signal), []);
    });
  });

  describe(`${implementation}: as a whole`, () => {
    test('finds nothing after a flush of the ruleset', async ({ firewall, flushRuleset }) => {
      await firewall.replaceMasquerade(masquerade('ipv4'), signal);
      await firewall.replaceForward(forward('ipv4'), signal);
      await flushRuleset();
      assert.equal(await firewall.masquerade('ipv4', TABLE, signal), undefined);
      assert.equal(await firewall.forward('ipv4', CHAIN, signal), undefined);
    });

    test('wakes on every change until told to stop, and not on reading', async ({
      firewall,
      flushRuleset,
      ...world
    }) => {
      const watching = new AbortController();
      let wakes = 0;
      firewall.watch(() => wakes++, watching.signal);
      const wakesOn = async (what: string, change: () => Promise<void>) => {
        const before = wakes;
        await change();
        await eventually(`a wake on ${what}`, WAKE_MS, () => assert.ok(wakes > before, `${wakes} wakes`));
      };
      try {
        await wakesOn('a table', () => firewall.replaceMasquerade(masquerade('ipv4'), signal));
        await wakesOn('a rule', () => world.addNatRule('ipv4', TABLE));
        await wakesOn('a chain', () => firewall.replaceForward(forward('ipv4'), signal));
        await wakesOn('a flush of FORWARD', () => world.flushForward('ipv4'));
        await wakesOn('a flush of the ruleset', flushRuleset);
        // Two reads in a row give late wakes of the flush the time to come.
        await firewall.masquerade('ipv4', TABLE, signal);
        const before = wakes;
        await firewall.masquerade('ipv4', TABLE, signal);
        await firewall.forward('ipv4', CHAIN, signal);
        assert.equal(wakes, before, 'wakes on reading');
      } finally {
        watching.abort();
      }
      const before = wakes;
      await firewall.replaceForward(forward('ipv4'), signal);
      await firewall.forward('ipv4', CHAIN, signal);
      assert.equal(wakes, before, 'wakes after the end of the watch');
    });

    test('rejects with the reason of the abort', async ({ firewall }) => {
      const reason = new Error('enough');
      const aborted = AbortSignal.abort(reason);
      for (const call of [
        firewall.masquerade('ipv4', TABLE, aborted),
        firewall.replaceMasquerade(masquerade('ipv4'), aborted),
        firewall.deleteMasquerade('ipv4', TABLE, aborted),
        firewall.forward('ipv4', CHAIN, aborted),
        firewall.replaceForward(forward('ipv4'), aborted),
        firewall.deleteForward('ipv4', CHAIN, aborted),
        firewall.flannelRules(aborted),
      ]) {
        await assert.rejects(call, reason);
      }
    });
  });
}
