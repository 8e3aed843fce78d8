/** Real rules of a host, and whether they could be for the datagrams between the hosts. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import { masqueradeRules } from '../../src/model/traffic-rules.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { HostRules } from '../../src/sys/firewall/host-rules.js';
import { runProgram } from '../../src/sys/run-program.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const QUESTION = { address: parseAddress('192.0.2.10'), port: 8285, link: 'eth0' };
const DEADLINE_MS = 5_000;
const { signal } = new AbortController();
/** Of the test that runs. */
let end: AbortController;

async function script(text: string): Promise<void> {
  await outputOf(['sh', '-euc', text]);
}

/** In a host with an empty firewall. */
function test(name: string, body: () => Promise<void>): void {
  it(name, () =>
    inFreshNamespace(async () => {
      await script('ip link add eth0 type veth peer name eth1');
      end = new AbortController();
      await body().finally(() => end.abort());
    }),
  );
}

const RULESETS: readonly { readonly name: string; readonly rules: string; readonly found?: string }[] = [
  {
    name: 'Docker 28, libvirt and fail2ban',
    rules: `iptables -t raw -A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
      iptables -P FORWARD DROP
      iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
      iptables -t mangle -N LIBVIRT_PRT
      iptables -t mangle -A POSTROUTING -j LIBVIRT_PRT
      iptables -t mangle -A LIBVIRT_PRT -o virbr0 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill
      iptables -N f2b-sshd
      iptables -A f2b-sshd -s 198.51.100.7 -j REJECT
      iptables -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd`,
  },
  {
    name: 'a rule of iptables in a chain of its own',
    rules: `iptables -t raw -N GUARD
      iptables -t raw -A PREROUTING -i eth0 -j GUARD
      iptables -t raw -A GUARD -p udp -m comment --comment 'keep out' -j DROP`,
    found: 'iptables -t raw -A GUARD -p udp -m comment --comment "keep out" -j DROP',
  },
  {
    name: 'a policy',
    rules: `iptables -A INPUT -p udp --dport 8285 -j ACCEPT
      iptables -P INPUT DROP`,
    found: 'iptables -t filter -P INPUT DROP',
  },
  {
    name: 'a chain of nft in a table of iptables, which iptables-save leaves out',
    rules: `iptables -t mangle -A PREROUTING -p tcp -j MARK --set-mark 1
      nft 'add chain ip mangle early { type filter hook prerouting priority 0; policy drop; }'`,
    found: 'nft ip mangle early policy drop',
  },
  {
    name: "nft's rules for others",
    rules: `nft -f - <<'END'
table inet own {
  chain guard {
    tcp dport { 22, 80 } drop
    udp dport { 53, 67 } drop
    ip daddr { 192.0.2.11, 198.51.100.7 } drop
    iifname { "lo", "virbr*" } drop
  }
  chain in {
    type filter hook input priority filter
    ct state established,related accept
    meta nfproto ipv6 drop
    counter jump guard
    meta l4proto vmap { tcp : drop, udp : goto guard }
  }
  chain out {
    type route hook output priority mangle
    oifname != "eth0" ip dscp set cs1
    udp sport != 8285 meta mark set 7
  }
}
table ip6 other {
  chain in {
    type filter hook input priority filter; policy drop;
  }
}
END`,
  },
  {
    name: 'a rule of nft behind a jump',
    rules: `nft -f - <<'END'
table inet own {
  chain guard {
    tcp dport 22 accept
    ip saddr != 10.0.0.0/8 udp dport 8000-9000 counter drop
  }
  chain in {
    type filter hook input priority filter
    iifname vmap { "lo" : accept, "eth0" : jump guard }
  }
}
END`,
    found: 'nft inet own guard ip saddr != 10.0.0.0/8 udp dport 8000-9000 drop',
  },
  {
    name: 'a hook at the link',
    rules: `nft -f - <<'END'
table netdev early {
  chain in {
    type filter hook ingress device eth0 priority 0
    udp dport 8285 limit rate 10/second drop
  }
}
END`,
    found: 'nft netdev early in udp dport 8285 limit drop',
  },
];

test('rules for the datagrams are found, and others are no matter', async () => {
  const rules = new HostRules(end.signal);
  assert.equal(await rules.look(QUESTION), undefined);
  for (const { name, rules: text, found } of RULESETS) {
    await script(text);
    assert.equal(await rules.look(QUESTION), found, name);
    await script('nft flush ruleset');
  }
});

test('rules of our own are no matter', async () => {
  const firewall = new HostFirewall();
  const network = parsePrefix('10.5.0.0/16');
  await firewall.replaceMasquerade(
    {
      family: 'ipv4',
      table: 'flannelette-flannel0',
      rules: masqueradeRules(network, parsePrefix('10.5.34.0/24')),
      unreadable: [],
    },
    signal,
  );
  await firewall.replaceForward(
    { family: 'ipv4', chain: 'FLANNEL-FWD', accept: [network], jump: true, unreadable: [] },
    signal,
  );
  assert.equal(await new HostRules(end.signal).look(QUESTION), undefined);
});

/** With how often the programs were asked. */
function counting() {
  const count = { asked: 0 };
  const rules = new HostRules(end.signal, (command, abort) => {
    if (command.program === 'nft') count.asked++;
    return runProgram(command, abort);
  });
  return { rules, count };
}

test('the programs are asked again when something has changed', async () => {
  const { rules, count } = counting();
  await rules.look(QUESTION);
  await rules.look(QUESTION);
  assert.equal(count.asked, 1);
  await rules.look({ ...QUESTION, port: 8472 });
  assert.equal(count.asked, 2);
  await script('iptables -A INPUT -p udp -j LOG');
  await eventually('an event', DEADLINE_MS, async () =>
    assert.equal(await rules.look(QUESTION), 'iptables -t filter -A INPUT -p udp -j LOG'),
  );
});

test('the programs are asked always when there are legacy tables', async () => {
  const { rules, count } = counting();
  await script('iptables-legacy -w 5 -t mangle -A PREROUTING -p tcp -j DROP');
  assert.equal(await rules.look(QUESTION), undefined);
  await script('iptables-legacy -w 5 -t mangle -A OUTPUT -p udp -j DROP');
  assert.equal(await rules.look(QUESTION), 'iptables-legacy -t mangle -A OUTPUT -p udp -j DROP');
  assert.equal(count.asked, 2);
});

test("a legacy iptables does not answer for nft's table of the same name", async () => {
  await script('iptables-legacy -w 5 -A INPUT -p tcp -j DROP; iptables -A INPUT -p udp -j DROP');
  const rules = new HostRules(end.signal, (command, abort) => {
    const program = command.program.replace(/^iptables-save$/, 'iptables-legacy-save');
    return runProgram({ ...command, program }, abort);
  });
  const found = await rules.look(QUESTION);
  assert.equal(found, 'nft ip filter INPUT meta l4proto udp drop');
});

test('a qdisc at the ingress of the link counts', async () => {
  const rules = new HostRules(end.signal);
  await script('tc qdisc add dev eth1 clsact; tc qdisc add dev eth0 root pfifo');
  assert.equal(await rules.look(QUESTION), undefined);
  for (const kind of ['clsact', 'ingress']) {
    await script(`tc qdisc add dev eth0 ${kind}`);
    assert.equal(await rules.look(QUESTION), `tc qdisc ${kind} on eth0`);
    await script(`tc qdisc del dev eth0 ${kind}`);
  }
  assert.equal(await rules.look(QUESTION), undefined);
});
