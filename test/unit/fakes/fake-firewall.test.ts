import { firewallContract } from '../../contract/firewall-contract.js';
import { FakeFirewall } from '../../fakes/fake-firewall.js';

firewallContract('FakeFirewall', async (body) => {
  const firewall = new FakeFirewall();
  await body({
    firewall,
    addNatRule: async (family, table) => firewall.addNatRule(family, table),
    addForwardRule: async (family, chain) => firewall.addForwardRule(family, chain),
    makeFlanneldChain: async (chain, network) => firewall.makeFlanneldChain(chain, network),
    makeFlannelRules: async (state) => firewall.makeFlannelRules(state),
    flushForward: async (family) => firewall.flushForward(family),
    flushRuleset: async () => firewall.flushRuleset(),
  });
});
