import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACCEPT, AT, base, DROP, harm, match, meta, payload, rule } from './nft-listing.js';

describe('chains of nft', () => {
  it('count with a policy of drop, whatever they accept', () => {
    const chain = base('input', { policy: 'drop' });
    assert.equal(harm(chain, rule([ACCEPT])), 'inet t c policy drop');
  });

  it('are no matter when datagrams do not come there', () => {
    for (const fields of [
      { family: 'ip6' },
      { family: 'arp' },
      { family: 'bridge' },
      { hook: 'forward' },
      { family: 'netdev', hook: 'ingress', dev: 'eth1' },
      { family: 'netdev', hook: 'egress', dev: ['eth1', 'eth2'] },
    ])
      assert.equal(harm(base('input', { policy: 'drop', ...fields })), undefined, JSON.stringify(fields));
  });

  it('of NAT are those by which the source is another, or nothing', () => {
    const nat = base('postrouting', { type: 'nat' });
    assert.equal(harm(nat, rule([{ masquerade: null }])), undefined);
    assert.match(String(harm(nat, rule([{ snat: { addr: '203.0.113.5' } }]))), /^inet t c snat/);
    assert.equal(harm(nat, rule([DROP])), 'inet t c drop');
    assert.equal(harm(base('output', { type: 'nat', policy: 'drop' })), 'inet t c policy drop');
  });

  it('count at the link, and where nft does not say at which', () => {
    for (const dev of [{}, { dev: 'eth0' }, { dev: ['eth1', 'eth0'] }, { dev: 'eth*' }])
      assert.equal(
        harm(base('ingress', { family: 'netdev', policy: 'drop', ...dev })),
        'netdev t c policy drop',
      );
  });

  it('are followed through jumps, gotos and maps, and through circles', () => {
    const toA = { jump: { target: 'a' } };
    const a = { chain: { ...AT, name: 'a', handle: 3 } };
    const verdicts = (...elem: readonly unknown[]) => ({
      map: { ...AT, name: 'm', type: 'ifname', map: 'verdict', handle: 4, elem },
    });
    const byMap = rule([{ vmap: { key: meta('iifname'), data: '@m' } }]);
    const drops = rule([DROP], 'a');
    assert.equal(harm(base('input'), a, rule([toA])), undefined);
    assert.equal(harm(base('input'), a, rule([toA]), drops), 'inet t a drop');
    assert.equal(harm(base('input'), a, rule([{ goto: { target: 'a' } }]), drops), 'inet t a drop');
    assert.equal(harm(base('input'), a, rule([toA]), rule([toA], 'a')), undefined);
    assert.equal(harm(base('input'), a, verdicts(['eth0', toA]), byMap, drops), 'inet t a drop');
    assert.equal(harm(base('input'), a, verdicts(['eth1', toA]), byMap, drops), undefined);
    assert.equal(harm(base('input'), a, verdicts(['eth0', DROP]), byMap), 'inet t c iifname vmap @m');
    // A chain of that name in another table is another one.
    const other = { rule: { ...AT, table: 'other', chain: 'a', handle: 5, expr: [DROP] } };
    assert.equal(harm(base('input'), a, rule([toA]), other), undefined);
  });

  it('are no matter when they are for sets and flowtables alone', () => {
    const set = { set: { ...AT, name: 's', type: 'ipv4_addr', handle: 2, elem: ['192.0.2.10'] } };
    const flowtable = { flowtable: { ...AT, name: 'f', handle: 3, hook: 'ingress', prio: 0, dev: 'eth0' } };
    assert.equal(harm(set, flowtable), undefined);
  });
});

/** What its zones say of what comes in, in the order in which it asks. */
it("finds firewalld's first rule that could keep something out", () => {
  const at = { family: 'inet', table: 'firewalld' };
  const chain = (name: string, fields: object) => ({
    chain: { ...at, name, type: 'filter', prio: 10, policy: 'accept', ...fields },
  });
  const of = (name: string, ...expr: readonly object[]) => ({
    rule: { ...at, chain: name, handle: 9, expr },
  });
  const state = (...states: readonly string[]) => match({ ct: { key: 'state' } }, { set: states });
  const early = [
    chain('filter_PREROUTING', { hook: 'prerouting' }),
    of(
      'filter_PREROUTING',
      match(payload('icmpv6', 'type'), { set: ['nd-router-advert', 'nd-neighbor-solicit'] }),
      ACCEPT,
    ),
    of(
      'filter_PREROUTING',
      match(meta('nfproto'), 'ipv6'),
      match({ fib: { result: 'oif', flags: ['saddr', 'mark', 'iif'] } }, false),
      DROP,
    ),
    chain('filter_INPUT', { hook: 'input' }),
    of('filter_INPUT', state('established', 'related'), ACCEPT),
    of('filter_INPUT', match({ ct: { key: 'status' } }, 'dnat', 'in'), ACCEPT),
    of('filter_INPUT', match(meta('iifname'), 'lo'), ACCEPT),
  ];
  assert.equal(harm(...early), undefined);
  assert.equal(
    harm(...early, of('filter_INPUT', state('invalid'), DROP)),
    'inet firewalld filter_INPUT ct state { invalid } drop',
  );
});
