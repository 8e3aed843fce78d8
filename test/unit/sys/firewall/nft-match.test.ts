import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCEPT, base, COUNTER, DROP, harm, match, meta, payload, rule } from './nft-listing.js';

interface Row {
  readonly text: string;
  readonly expr: readonly object[];
  readonly hook?: string;
}

describe('a rule of nft', () => {
  const harmless: readonly Row[] = [
    { text: 'counter', expr: [COUNTER] },
    {
      text: 'ct state established,related accept',
      expr: [match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), ACCEPT],
    },
    { text: 'limit rate 10/second accept', expr: [{ limit: { rate: 10, burst: 5, per: 'second' } }, ACCEPT] },
    { text: 'ip daddr 192.0.2.11 drop', expr: [match(payload('ip', 'daddr'), '192.0.2.11'), DROP] },
    {
      text: 'ip daddr != 192.0.2.0/24 drop',
      expr: [match(payload('ip', 'daddr'), { prefix: { addr: '192.0.2.0', len: 24 } }, '!='), DROP],
    },
    {
      text: 'ip daddr { 192.0.2.11-192.0.2.20, 10.0.0.0/8 } drop',
      expr: [
        match(payload('ip', 'daddr'), {
          set: [{ range: ['192.0.2.11', '192.0.2.20'] }, { prefix: { addr: '10.0.0.0', len: 8 } }],
        }),
        DROP,
      ],
    },
    { text: 'tcp dport 22 drop', expr: [match(payload('tcp', 'dport'), 22), DROP] },
    { text: 'tcp dport != 22 drop', expr: [match(payload('tcp', 'dport'), 22, '!='), DROP] },
    { text: 'ip6 daddr fe80::1 drop', expr: [match(payload('ip6', 'daddr'), 'fe80::1'), DROP] },
    { text: 'icmp type echo-request drop', expr: [match(payload('icmp', 'type'), 'echo-request'), DROP] },
    { text: 'udp dport 53 drop', expr: [match(payload('udp', 'dport'), 53), DROP] },
    {
      text: 'udp dport { 53, 67-68 } log drop',
      expr: [match(payload('udp', 'dport'), { set: [53, { range: [67, 68] }] }), { log: null }, DROP],
    },
    {
      text: 'th dport != 8000-9000 drop',
      expr: [match(payload('th', 'dport'), { range: [8000, 9000] }, '!='), DROP],
    },
    { text: 'meta l4proto icmp drop', expr: [match(meta('l4proto'), 'icmp'), DROP] },
    { text: 'meta l4proto { tcp, 132 } drop', expr: [match(meta('l4proto'), { set: ['tcp', 132] }), DROP] },
    { text: 'ip protocol != udp drop', expr: [match(payload('ip', 'protocol'), 'udp', '!='), DROP] },
    { text: 'meta nfproto ipv6 drop', expr: [match(meta('nfproto'), 'ipv6'), DROP] },
    { text: 'meta protocol != ip drop', expr: [match(meta('protocol'), 'ip', '!='), DROP] },
    { text: 'iifname "eth1" drop', expr: [match(meta('iifname'), 'eth1'), DROP] },
    { text: 'iifname "virbr*" drop', expr: [match(meta('iifname'), 'virbr*'), DROP] },
    {
      text: 'iifname != { "eth0", "lo" } drop',
      expr: [match(meta('iifname'), { set: ['eth0', 'lo'] }, '!='), DROP],
    },
    { text: 'oif "lo" drop, at output', hook: 'output', expr: [match(meta('oif'), 'lo'), DROP] },
    {
      text: 'udp sport 53 drop, at output',
      hook: 'output',
      expr: [match(payload('udp', 'sport'), 53), DROP],
    },
    {
      text: 'ip saddr 192.0.2.11 drop, behind routing',
      hook: 'postrouting',
      expr: [match(payload('ip', 'saddr'), '192.0.2.11'), DROP],
    },
    { text: 'drop, of what is forwarded', hook: 'forward', expr: [DROP] },
    {
      text: 'iifname . udp dport { "eth0" . 53, "eth1" . 8285 } drop',
      expr: [
        match(
          { concat: [meta('iifname'), payload('udp', 'dport')] },
          { set: [{ concat: ['eth0', 53] }, { concat: ['eth1', 8285] }] },
        ),
        DROP,
      ],
    },
    {
      text: 'ip saddr . tcp dport @known drop',
      expr: [match({ concat: [payload('ip', 'saddr'), payload('tcp', 'dport')] }, '@known'), DROP],
    },
    {
      text: 'ip protocol vmap { tcp : drop, udp : accept }',
      expr: [
        {
          vmap: {
            key: payload('ip', 'protocol'),
            data: {
              set: [
                ['tcp', DROP],
                ['udp', ACCEPT],
              ],
            },
          },
        },
      ],
    },
  ];
  for (const { text, hook = 'input', expr } of harmless) {
    it(`is no matter: ${text}`, () => assert.equal(harm(base(hook), rule(expr)), undefined));
  }

  const harmful: readonly Row[] = [
    { text: 'drop', expr: [COUNTER, DROP] },
    { text: 'ct state invalid drop', expr: [match({ ct: { key: 'state' } }, 'invalid', 'in'), DROP] },
    { text: 'ip daddr 192.0.2.10 drop', expr: [match(payload('ip', 'daddr'), '192.0.2.10'), DROP] },
    { text: 'ip daddr != 192.0.2.11 drop', expr: [match(payload('ip', 'daddr'), '192.0.2.11', '!='), DROP] },
    {
      text: 'ip daddr 192.0.2.1-192.0.2.20 drop',
      expr: [match(payload('ip', 'daddr'), { range: ['192.0.2.1', '192.0.2.20'] }), DROP],
    },
    { text: 'ip daddr @banned drop', expr: [match(payload('ip', 'daddr'), '@banned'), DROP] },
    {
      text: 'ip saddr { 198.51.100.7, 10.0.0.0/8 } reject',
      expr: [
        match(payload('ip', 'saddr'), { set: ['198.51.100.7', { prefix: { addr: '10.0.0.0', len: 8 } }] }),
        { reject: { type: 'icmp', expr: 'admin-prohibited' } },
      ],
    },
    { text: 'udp dport 8285 drop', expr: [match(payload('udp', 'dport'), 8285), DROP] },
    { text: 'udp dport 8285 notrack', expr: [match(payload('udp', 'dport'), 8285), { notrack: null }] },
    {
      text: 'udp dport { 53, 8000-9000 } drop',
      expr: [
        match(payload('udp', 'dport'), {
          set: [{ elem: { val: 53, comment: 'dns' } }, { range: [8000, 9000] }],
        }),
        DROP,
      ],
    },
    { text: 'udp dport > 100 drop', expr: [match(payload('udp', 'dport'), 100, '>'), DROP] },
    { text: 'udp sport 53 drop', expr: [match(payload('udp', 'sport'), 53), DROP] },
    { text: 'udp length 10 drop', expr: [match(payload('udp', 'length'), 10), DROP] },
    {
      text: 'meta l4proto { tcp, udp } log',
      expr: [match(meta('l4proto'), { set: ['tcp', 'udp'] }), { log: { prefix: 'x' } }],
    },
    { text: 'iifname eth* drop', expr: [match(meta('iifname'), 'eth*'), DROP] },
    { text: 'iif != lo drop', expr: [match(meta('iif'), 'lo', '!='), DROP] },
    {
      text: 'fib daddr type local drop',
      expr: [match({ fib: { result: 'type', flags: ['daddr'] } }, 'local'), DROP],
    },
    { text: 'meta mark set 1', expr: [{ mangle: { key: meta('mark'), value: 1 } }] },
    { text: 'log tcp dport 22 drop', expr: [{ log: null }, match(payload('tcp', 'dport'), 22), DROP] },
    { text: 'xt target CT', expr: [{ xt: { type: 'target', name: 'CT' } }] },
    { text: 'xt match recent drop', expr: [{ xt: { type: 'match', name: 'recent' } }, DROP] },
    { text: 'queue', expr: [{ queue: { num: 1 } }] },
    {
      text: 'ct state vmap { invalid : drop, established : accept }',
      expr: [
        {
          vmap: {
            key: { ct: { key: 'state' } },
            data: {
              set: [
                ['invalid', DROP],
                ['established', ACCEPT],
              ],
            },
          },
        },
      ],
    },
    {
      text: 'iifname . udp dport { eth0 . 8285 } drop',
      expr: [
        match({ concat: [meta('iifname'), payload('udp', 'dport')] }, { set: [{ concat: ['eth0', 8285] }] }),
        DROP,
      ],
    },
    {
      text: 'ip protocol vmap { tcp : accept, * : drop }',
      expr: [
        {
          vmap: {
            key: payload('ip', 'protocol'),
            data: {
              set: [
                ['tcp', ACCEPT],
                ['*', DROP],
              ],
            },
          },
        },
      ],
    },
    { text: 'udp dport vmap @unseen', expr: [{ vmap: { key: payload('udp', 'dport'), data: '@unseen' } }] },
    { text: 'udp dport 53 drop', hook: 'output', expr: [match(payload('udp', 'dport'), 53), DROP] },
    {
      text: 'ip saddr 192.0.2.10 drop',
      hook: 'postrouting',
      expr: [match(payload('ip', 'saddr'), '192.0.2.10'), DROP],
    },
    { text: 'iifname != eth0 drop', hook: 'output', expr: [match(meta('iifname'), 'eth0', '!='), DROP] },
  ];
  for (const { text, hook = 'input', expr } of harmful) {
    it(`is found at ${hook}: ${text}`, () => assert.equal(harm(base(hook), rule(expr)), `inet t c ${text}`));
  }
});
