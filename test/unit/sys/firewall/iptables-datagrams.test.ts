import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress } from '../../../../src/model/address.js';
import { iptablesHarm } from '../../../../src/sys/firewall/iptables-datagrams.js';
import { savedTables } from '../../../../src/sys/firewall/saved-tables.js';
import { DOCKER_20, DOCKER_28, FAIL2BAN, LIBVIRT, UFW } from './printed-rules.js';

const DATAGRAMS = { address: parseAddress('192.0.2.10'), port: 8285, link: 'eth0' };

function harm(saved: string) {
  return iptablesHarm(savedTables(saved), DATAGRAMS);
}

describe("iptables' rules of others that a host has", () => {
  const rulesets: readonly { readonly name: string; readonly saved: string; readonly want?: string }[] = [
    { name: 'none', saved: '' },
    { name: 'Docker 20.10', saved: DOCKER_20 },
    { name: 'Docker 28', saved: DOCKER_28 },
    { name: 'libvirt', saved: LIBVIRT },
    { name: 'fail2ban, for a port of TCP', saved: FAIL2BAN },
    {
      name: 'fail2ban, for all ports',
      saved: FAIL2BAN.replace(' -p tcp -m multiport --dports 22', ''),
      want: '-t filter -A f2b-sshd -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable',
    },
    { name: 'ufw, whatever it accepts', saved: UFW, want: '-t filter -P INPUT DROP' },
  ];
  for (const { name, saved, want } of rulesets) {
    it(`${want === undefined ? 'are no matter' : 'are found'}: ${name}`, () =>
      assert.equal(harm(saved), want));
  }
});

/** One rule, in a table in which every hook has a chain; `A` is a chain to jump to, `B` an empty one. */
function harmOf(table: string, ...rules: readonly string[]) {
  const hooks = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'].map(
    (chain) => `:${chain} ACCEPT [0:0]`,
  );
  return harm([`*${table}`, ...hooks, ':A - [0:0]', ':B - [0:0]', ...rules, 'COMMIT', ''].join('\n'));
}

describe('a rule of iptables', () => {
  const harmless = [
    '-A FORWARD -j DROP',
    '-A INPUT -j ACCEPT',
    '-A INPUT -j RETURN',
    '-A INPUT -m comment --comment "-j DROP"',
    '-A INPUT -p udp -m udp --dport 8285',
    '-A INPUT -d 192.0.2.11/32 -j DROP',
    '-A INPUT ! -d 192.0.2.0/24 -j DROP',
    '-A INPUT -i eth1 -j DROP',
    '-A INPUT ! -i eth0 -j DROP',
    '-A INPUT ! -i eth+ -j DROP',
    '-A INPUT -i virbr+ -j DROP',
    '-A INPUT -p tcp -j DROP',
    '-A INPUT -p icmp -m icmp --icmp-type 8 -j DROP',
    '-A INPUT ! -p udp -j DROP',
    '-A INPUT ! -p 17 -j DROP',
    '-A INPUT -p udp -m udp --dport 53 -j DROP',
    '-A INPUT -p udp -m udp --dport 8286:65535 -j DROP',
    '-A INPUT -p udp -m udp ! --dport 8285 -j DROP',
    '-A INPUT -p udp -m udp --sport 53 --dport 53 -j DROP',
    '-A INPUT -p udp -m multiport --dports 53,67:68 -j DROP',
    '-A INPUT -p udp -m multiport ! --dports 53,8000:9000 -j DROP',
    '-A OUTPUT -s 192.0.2.11/32 -j DROP',
    '-A OUTPUT -o eth1 -j DROP',
    '-A OUTPUT -p udp -m udp --sport 53 -j DROP',
    '-A POSTROUTING -p udp -m multiport --sports 53,67 -j DROP',
    '-A OUTPUT -j B',
    '-A INPUT -m set --match-set known src -j ACCEPT',
  ];
  for (const rule of harmless) {
    it(`is no matter: ${rule}`, () => assert.equal(harmOf('mangle', rule), undefined));
  }

  const harmful = [
    '-A PREROUTING -p udp -j DROP',
    '-A PREROUTING -j CT --notrack',
    '-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff',
    '-A INPUT -j DROP',
    '-A INPUT -j REJECT --reject-with icmp-port-unreachable',
    '-A INPUT -j LOG',
    '-A INPUT -j NFQUEUE --queue-num 0',
    '-A INPUT -m recent --set --name seen --mask 255.255.255.255 --rsource',
    '-A INPUT -s 198.51.100.7/32 -j DROP',
    '-A INPUT ! -s 198.51.100.0/24 -j DROP',
    '-A INPUT -d 192.0.2.10/32 -j DROP',
    '-A INPUT ! -d 192.0.2.11/32 -j DROP',
    '-A INPUT -d 192.0.2.2/255.0.255.255 -j DROP',
    '-A INPUT -i eth0 -j DROP',
    '-A INPUT -i eth+ -j DROP',
    '-A INPUT ! -i eth1 -j DROP',
    '-A INPUT ! -p tcp -j DROP',
    '-A INPUT -p 17 -j DROP',
    '-A INPUT -p udp -m udp --dport 8285 -j DROP',
    '-A INPUT -p udp -m udp --dport 8000:9000 -j DROP',
    '-A INPUT -p udp -m udp ! --dport 53 -j DROP',
    '-A INPUT -p udp -m udp --sport 53 -j DROP',
    '-A INPUT -p udp -m multiport --dports 53,8000:9000 -j DROP',
    '-A INPUT -p udp -m multiport --ports 53 -j DROP',
    '-A INPUT -m conntrack --ctstate INVALID -j DROP',
    '-A INPUT -m addrtype --dst-type BROADCAST -j DROP',
    '-A OUTPUT -d 198.51.100.7/32 -j DROP',
    '-A OUTPUT -p udp -m udp --dport 4789 -j MARK --set-xmark 0x1/0xffffffff',
    '-A OUTPUT -p udp -m udp --sport 8285 -j DROP',
    '-A POSTROUTING -o eth0 -j CHECKSUM --checksum-fill',
    '-A POSTROUTING ! -o lo -j DROP',
  ];
  for (const rule of harmful) {
    it(`is found: ${rule}`, () => assert.equal(harmOf('mangle', rule), `-t mangle ${rule}`));
  }

  it('is no matter in a table for address translation', () => {
    assert.equal(
      harmOf('nat', '-A POSTROUTING -j MASQUERADE', '-A OUTPUT -j DNAT --to 192.0.2.9'),
      undefined,
    );
    const snat = '-A POSTROUTING -o eth0 -p udp -m udp --sport 8285 -j SNAT --to-source 203.0.113.5';
    assert.equal(harmOf('nat', snat), `-t nat ${snat}`);
    assert.equal(harmOf('nat', snat.replace('8285', '53')), undefined);
  });

  it('is followed through jumps, and through those in a circle', () => {
    const drop = '-A B -p udp -j DROP';
    assert.equal(harmOf('filter', '-A INPUT -j A', '-A A -g B', drop), `-t filter ${drop}`);
    assert.equal(harmOf('filter', '-A INPUT -j A', '-A A -j B', '-A B -j A'), undefined);
    assert.equal(harmOf('filter', '-A INPUT -i eth1 -j A', '-A FORWARD -j A', '-A A -j DROP'), undefined);
  });

  it('is judged by the way on which its chain is reached', () => {
    const rule = '-A A -d 192.0.2.11/32 -j DROP';
    assert.equal(harmOf('filter', '-A INPUT -j A', rule), undefined);
    assert.equal(harmOf('filter', '-A INPUT -j A', '-A OUTPUT -j A', rule), `-t filter ${rule}`);
  });
});
