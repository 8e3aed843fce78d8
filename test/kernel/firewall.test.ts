/** The real nft and iptables, each test in a fresh network namespace. */
import { familyOf } from '../../src/model/address.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { firewallContract } from '../contract/firewall-contract.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const IPTABLES = { ipv4: 'iptables', ipv6: 'ip6tables' } as const;
const NFT = { ipv4: 'ip', ipv6: 'ip6' } as const;

async function script(text: string): Promise<void> {
  await outputOf(['sh', '-euc', text]);
}

firewallContract('HostFirewall', (body) =>
  inFreshNamespace(() =>
    body({
      firewall: new HostFirewall(),
      addNatRule: (family, table) =>
        script(`nft add rule ${NFT[family]} ${table} postrouting tcp dport 9 drop`),
      addForwardRule: (family, chain) => script(`${IPTABLES[family]} -A ${chain} -j LOG`),
      makeFlanneldChain: (chain, network) => {
        const iptables = `${IPTABLES[familyOf(network)]} -A`;
        const comment = '-m comment --comment "flanneld forward"';
        return script(`
${IPTABLES[familyOf(network)]} -N ${chain}
${iptables} FORWARD ${comment} -j ${chain}
${iptables} ${chain} -s ${network} ${comment} -j ACCEPT
${iptables} ${chain} -d ${network} ${comment} -j ACCEPT`);
      },
      makeFlannelRules: ({ family, place, name }, network) => {
        const nft = NFT[family];
        if (place === 'nft')
          return script(`nft 'add table ${nft} ${name}
add chain ${nft} ${name} postrtg { type nat hook postrouting priority srcnat; }
add rule ${nft} ${name} postrtg ${nft} saddr ${network} masquerade'`);
        const program = place === 'iptables' ? IPTABLES[family] : `${IPTABLES[family]}-legacy -w 5`;
        const comment = '-m comment --comment "flanneld masq"';
        return script(`
${program} -t nat -N ${name}
${program} -t nat -A POSTROUTING ${comment} -j ${name}
${program} -t nat -A ${name} -s ${network} ${comment} -j MASQUERADE`);
      },
      flushForward: (family) => script(`${IPTABLES[family]} -F FORWARD`),
      flushRuleset: () => script('nft flush ruleset'),
    }),
  ),
);
