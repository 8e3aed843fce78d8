/** Both reconcilers over the real firewall: they heal what others break, and break nothing of others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import type { Desired } from '../../src/model/diff.js';
import type { NetworkConfig } from '../../src/model/network.js';
import {
  desiredForward,
  desiredMasquerade,
  forwardChain,
  masqueradeTable,
} from '../../src/model/traffic-rules.js';
import { forwardReconciler } from '../../src/reconcilers/forward.js';
import { masqueradeReconciler } from '../../src/reconcilers/masquerade.js';
import type { Reconciler } from '../../src/reconcilers/reconciler.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { script } from '../lab/neighbours.js';
import { outputOf } from '../lab/process.js';

const NETWORK: NetworkConfig = {
  ipv4: {
    cidr: parsePrefix('10.5.0.0/16'),
    subnetLength: 24,
    subnetMin: parseAddress('10.5.1.0'),
    subnetMax: parseAddress('10.5.255.0'),
  },
  ipv6: {
    cidr: parsePrefix('fd00:5::/48'),
    subnetLength: 64,
    subnetMin: parseAddress('fd00:5:0:1::'),
    subnetMax: parseAddress('fd00:5:0:ffff::'),
  },
  backend: { type: 'udp', port: 8285 },
};
const SUBNETS = { ipv4: parsePrefix('10.5.34.0/24'), ipv6: parsePrefix('fd00:5:0:22::/64') };
const WAKE_MS = 5000;
const { signal } = new AbortController();

/** Both kinds of traffic rules of one instance, round by round. */
class TrafficRules {
  readonly #rounds: (() => Promise<readonly string[]>)[];

  constructor(firewall: HostFirewall, instance: string, isWanted = true) {
    const [table, chain] = [masqueradeTable(instance), forwardChain(instance)];
    this.#rounds = [
      () =>
        round(
          masqueradeReconciler(firewall, table),
          isWanted ? desiredMasquerade(table, NETWORK, SUBNETS) : [],
        ),
      () => round(forwardReconciler(firewall, chain), isWanted ? desiredForward(chain, NETWORK) : []),
    ];
  }

  /** What was planned, and then done. */
  async round(): Promise<readonly string[]> {
    const plans: string[] = [];
    for (const one of this.#rounds) plans.push(...(await one()));
    return plans;
  }
}

async function round<State>(
  reconciler: Reconciler<State>,
  desired: readonly Desired<State>[],
): Promise<string[]> {
  const { actions, foreign } = reconciler.diff(desired, await reconciler.observe(desired, signal));
  for (const result of await reconciler.apply(actions, signal))
    assert.equal(result.outcome, 'done', String(result.error));
  return [
    ...actions.map(({ verb, key, reason }) => `${verb} ${key}: ${reason}`),
    ...foreign.map(({ key }) => `foreign ${key}`),
  ];
}

const BREAKS: readonly { readonly harm: string; readonly healed: readonly string[] }[] = [
  {
    harm: 'nft flush ruleset',
    healed: [
      'create nft-table:ip flannelette-flannel0: missing',
      'create nft-table:ip6 flannelette-flannel0: missing',
      'create ip6tables-chain:FLANNEL-FWD: missing',
      'create iptables-chain:FLANNEL-FWD: missing',
    ],
  },
  {
    harm: 'nft delete table ip flannelette-flannel0',
    healed: ['create nft-table:ip flannelette-flannel0: missing'],
  },
  {
    harm: 'nft insert rule ip6 flannelette-flannel0 postrouting return',
    healed: ['update nft-table:ip6 flannelette-flannel0: rule 1 is not wanted: return'],
  },
  {
    harm: 'iptables -F FORWARD',
    healed: ['update iptables-chain:FLANNEL-FWD: jump from FORWARD is missing'],
  },
  {
    harm: 'iptables -F',
    healed: ['update iptables-chain:FLANNEL-FWD: 10.5.0.0/16 is not accepted; jump from FORWARD is missing'],
  },
  {
    harm: 'ip6tables -D FLANNEL-FWD 2',
    healed: [
      'update ip6tables-chain:FLANNEL-FWD: fd00:5::/48 is not accepted; ' +
        'unexpected -A FLANNEL-FWD -s fd00:5::/48 -m comment --comment flannelette -j ACCEPT',
    ],
  },
  {
    harm: 'iptables -I FLANNEL-FWD -s 10.5.0.66 -j DROP',
    healed: ['update iptables-chain:FLANNEL-FWD: unexpected -A FLANNEL-FWD -s 10.5.0.66/32 -j DROP'],
  },
];

describe('traffic rules', () => {
  for (const { harm, healed } of BREAKS) {
    it(`are woken by "${harm}", and healed in the next round`, async () => {
      await inFreshNamespace(async () => {
        const firewall = new HostFirewall();
        const rules = new TrafficRules(firewall, 'flannel0');
        await rules.round();
        assert.deepEqual(await rules.round(), [], 'a second plan');
        const watching = new AbortController();
        let wakes = 0;
        firewall.watch(() => wakes++, watching.signal);
        try {
          await script(harm);
          await eventually(`woken by "${harm}"`, WAKE_MS, () => assert.ok(wakes > 0));
          assert.deepEqual(await rules.round(), healed);
          assert.deepEqual(await rules.round(), [], 'a second plan');
        } finally {
          watching.abort();
        }
      });
    });
  }

  it('leave everything of others as it was', async () => {
    await inFreshNamespace(async () => {
      const firewall = new HostFirewall();
      await script(`
iptables -P FORWARD DROP
iptables -N DOCKER-USER
iptables -A DOCKER-USER -j RETURN
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -i eth7 -m comment --comment "it's mine" -j ACCEPT
iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
ip6tables -A FORWARD -s fd00:9::/64 -j ACCEPT
nft add table inet site
nft 'add chain inet site input { type filter hook input priority 0; }'
nft add rule inet site input tcp dport 22 counter accept
nft add table ip flannelette
nft add chain ip flannelette postrouting`);
      const other = new TrafficRules(firewall, 'green');
      await other.round();
      const before = await foreignObjects();
      const rules = new TrafficRules(firewall, 'flannel0');
      await rules.round();
      assert.deepEqual(await foreignObjects(), before);
      await script('nft delete table ip flannelette-flannel0; iptables -F FLANNEL-FWD');
      await rules.round();
      assert.deepEqual(await foreignObjects(), before);
      await new TrafficRules(firewall, 'flannel0', false).round();
      assert.deepEqual(await foreignObjects(), before);
      assert.deepEqual(await allObjects(), before, 'nothing of ours is left');
      assert.deepEqual(await other.round(), [], 'the other instance');
    });
  });
});

/** The whole ruleset with its handles, which change when something is made anew. */
async function allObjects(): Promise<readonly string[]> {
  const { nftables } = JSON.parse(await outputOf(['nft', '--json', 'list', 'ruleset']));
  // Listed in the order of their making, which says nothing.
  return nftables.map((object: object) => JSON.stringify(object)).sort();
}

/** What is not of the instance flannel0: neither in its table nor in its chain, nor a jump to that. */
async function foreignObjects(): Promise<readonly string[]> {
  const ours = /"flannelette-flannel0"|"FLANNEL-FWD"/;
  return (await allObjects()).filter((object) => !ours.test(object));
}
