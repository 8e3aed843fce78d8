import assert from 'node:assert/strict';
import test from 'node:test';
import { parseAddress } from '../../../../src/model/address.js';
import { iptablesDrop } from '../../../../src/model/doctor/iptables-way.js';
import { nftDrop } from '../../../../src/model/doctor/nft-way.js';
import type { KnownPacket } from '../../../../src/model/doctor/packet-way.js';

/** A datagram of another host. */
const OUTER: KnownPacket = {
  hook: 'input',
  in: 'eth0',
  source: parseAddress('10.8.65.2'),
  destination: parseAddress('10.8.65.1'),
  protocol: 'udp',
  port: 8285,
};

const POLICY = 'policy DROP of INPUT';
for (const { name, rules, policy = 'ACCEPT', drop } of [
  { name: 'no rule', rules: [] },
  { name: 'the port', rules: ['-A INPUT -p udp -m udp --dport 8285 -j DROP'], drop: /--dport 8285 -j DROP$/ },
  { name: 'another port', rules: ['-A INPUT -p udp -m udp --dport 8286 -j DROP'] },
  { name: 'all ports but another', rules: ['-A INPUT -p udp ! --dport 53 -j REJECT'], drop: /REJECT$/ },
  {
    name: 'a range',
    rules: ['-A INPUT -p udp -m multiport --dports 1:7,8000:9000 -j DROP'],
    drop: /8000:9000/,
  },
  { name: 'another protocol', rules: ['-A INPUT -p tcp -j DROP'] },
  { name: 'another interface', rules: ['-A INPUT -i eth1 -j DROP'] },
  { name: 'interfaces by their beginning', rules: ['-A INPUT -i eth+ -j DROP'], drop: /eth\+/ },
  { name: 'the source', rules: ['-A INPUT -s 10.8.0.0/16 -j DROP'], drop: /10\.8\.0\.0/ },
  { name: 'every other source', rules: ['-A INPUT ! -s 10.8.0.0/16 -j DROP'] },
  { name: 'an exception before it', rules: ['-A INPUT -s 10.8.65.2/32 -j ACCEPT', '-A INPUT -j DROP'] },
  {
    name: 'what is answered passes only',
    rules: ['-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'],
    policy: 'DROP',
    drop: new RegExp(POLICY),
  },
  { name: 'what is new passes', rules: ['-A INPUT -m state --state NEW -j ACCEPT'], policy: 'DROP' },
  { name: 'a match that is not known', rules: ['-A INPUT -m set --match-set bad src -j DROP'] },
  {
    name: 'an exception that is not known',
    rules: ['-A INPUT -m mark --mark 0x1 -j ACCEPT'],
    policy: 'DROP',
    drop: new RegExp(POLICY),
  },
  {
    name: 'a comment with an option in it',
    rules: ['-A INPUT -m comment --comment "no -j DROP here" -j ACCEPT'],
    policy: 'DROP',
  },
  { name: 'a chain', rules: ['-A INPUT -j guard', '-A guard -p udp -j DROP'], drop: /-A guard/ },
  {
    name: 'a chain that returns',
    rules: ['-A INPUT -j guard', '-A guard -p udp -j RETURN', '-A guard -j DROP'],
  },
  {
    name: 'a goto that does not',
    rules: ['-A INPUT -g guard', '-A INPUT -j DROP', '-A guard -p tcp -j DROP'],
  },
  { name: 'the policy', rules: [], policy: 'DROP', drop: new RegExp(POLICY) },
]) {
  test(`iptables and a datagram of another host: ${name}`, () => {
    const saved = `*filter\n:INPUT ${policy} [0:0]\n:guard - [0:0]\n${rules.join('\n')}\nCOMMIT\n*nat\n:INPUT DROP [0:0]\nCOMMIT\n`;
    const found = iptablesDrop('iptables', saved, OUTER);
    if (drop === undefined) assert.equal(found, undefined);
    else {
      assert.match(found?.rule ?? 'none', drop);
      assert.deepEqual(found?.base, { program: 'iptables', chain: 'INPUT' });
    }
  });
}

const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const meta = (key: string) => ({ meta: { key } });
const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } });

for (const { name, expr, policy = 'accept', drop } of [
  { name: 'no rule', expr: [] },
  {
    name: 'the port',
    expr: [match(payload('udp', 'dport'), 8285), { drop: null }],
    drop: 'nft inet guard: udp dport 8285 drop',
  },
  { name: 'the port of TCP', expr: [match(payload('tcp', 'dport'), 8285), { drop: null }] },
  {
    name: 'a set with a range',
    expr: [match(payload('th', 'dport'), { set: [53, { range: [8000, 9000] }] }), { reject: null }],
    drop: 'nft inet guard: th dport 53, 8000-9000 reject',
  },
  { name: 'a named set', expr: [match(payload('udp', 'dport'), '@ports'), { drop: null }] },
  {
    name: 'the interface',
    expr: [match(meta('iifname'), 'eth*'), { drop: null }],
    drop: 'nft inet guard: iifname eth* drop',
  },
  { name: 'every other interface', expr: [match(meta('iifname'), 'eth0', '!='), { drop: null }] },
  {
    name: 'the source network',
    expr: [
      match(payload('ip', 'saddr'), { prefix: { addr: '10.8.0.0', len: 16 } }),
      { counter: {} },
      { drop: null },
    ],
    drop: 'nft inet guard: ip saddr 10.8.0.0/16 drop',
  },
  {
    name: 'what is answered',
    expr: [match({ ct: { key: 'state' } }, ['established'], 'in'), { drop: null }],
  },
  { name: 'a limit', expr: [{ limit: { rate: 1 } }, { drop: null }] },
  { name: 'the policy', expr: [], policy: 'drop', drop: 'nft inet guard: policy drop of incoming' },
  {
    name: 'an exception from it',
    expr: [match(meta('l4proto'), { set: ['icmp', 'udp'] }), { accept: null }],
    policy: 'drop',
  },
  {
    name: 'a chain of its own',
    expr: [{ jump: { target: 'inner' } }],
    drop: 'nft inet guard: l4proto udp drop',
  },
]) {
  test(`nft and a datagram of another host: ${name}`, () => {
    const here = { family: 'inet', table: 'guard' };
    const listing = [
      { metainfo: {} },
      { chain: { ...here, name: 'incoming', hook: 'input', prio: 0, policy } },
      { chain: { ...here, name: 'inner' } },
      { chain: { family: 'ip', table: 'filter', name: 'INPUT', hook: 'input', prio: 0, policy: 'drop' } },
      { rule: { ...here, chain: 'incoming', expr } },
      { rule: { ...here, chain: 'inner', expr: [match(meta('l4proto'), 'udp'), { drop: null }] } },
    ];
    const found = nftDrop(listing, OUTER);
    assert.equal(found?.rule, drop);
    if (drop !== undefined) assert.deepEqual(found?.base, { program: 'nft', ...here, chain: 'incoming' });
  });
}
