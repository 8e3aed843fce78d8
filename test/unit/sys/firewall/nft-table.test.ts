import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../../../src/model/address.js';
import type { NatRule } from '../../../../src/model/objects.js';
import { parseTable, replacement } from '../../../../src/sys/firewall/nft-table.js';

const TABLE = 'flannelette-flannel0';
const AT = { family: 'ip', table: TABLE, chain: 'postrouting', handle: 7 };
const TABLE_LINE = { table: { family: 'ip', name: TABLE, handle: 1 } };
const CHAIN_LINE = {
  chain: {
    family: 'ip',
    table: TABLE,
    name: 'postrouting',
    handle: 1,
    type: 'nat',
    hook: 'postrouting',
    prio: 100,
    policy: 'accept',
  },
};
const SOURCE = { payload: { protocol: 'ip', field: 'saddr' } };
const MARK = { meta: { key: 'mark' } };
const match = (op: string, left: unknown, right: unknown) => ({ match: { op, left, right } });

function parse(...objects: readonly object[]) {
  const metainfo = { metainfo: { version: '1.0.6', json_schema_version: 1 } };
  return parseTable(JSON.stringify({ nftables: [metainfo, ...objects] }), 'ipv4', TABLE);
}

function parseRule(expr: unknown, fields: object = {}) {
  return parse(TABLE_LINE, CHAIN_LINE, { rule: { ...AT, expr, ...fields } });
}

describe('reading a table', () => {
  const readable: readonly { readonly name: string; readonly expr: unknown; readonly want: NatRule }[] = [
    {
      name: 'a counter, which decides nothing',
      expr: [{ counter: { packets: 7, bytes: 588 } }, { return: null }],
      want: { verdict: 'return' },
    },
    {
      name: 'masquerade without fully-random, which is as good',
      expr: [{ masquerade: null }],
      want: { verdict: 'masquerade' },
    },
    {
      name: 'matches in another order',
      expr: [
        match('!=', SOURCE, '10.5.34.2'),
        match('==', MARK, 7),
        { masquerade: { flags: 'fully-random' } },
      ],
      want: {
        source: { prefix: parsePrefix('10.5.34.2/32'), negated: true },
        mark: { value: 7, mask: 0xffffffff },
        verdict: 'masquerade',
      },
    },
  ];
  for (const { name, expr, want } of readable) {
    it(`takes ${name}`, () => {
      assert.deepEqual(parseRule(expr), { family: 'ipv4', table: TABLE, rules: [want], unreadable: [] });
    });
  }

  it('does not read comments', () => {
    assert.equal(parseRule([{ return: null }], { comment: 'mine' }).unreadable.length, 0);
  });

  const unreadable: readonly { readonly name: string; readonly expr: unknown }[] = [
    { name: 'another verdict', expr: [{ drop: null }] },
    { name: 'no verdict', expr: [match('==', SOURCE, '10.5.34.2')] },
    { name: 'other flags', expr: [{ masquerade: { flags: ['random', 'persistent'] } }] },
    { name: 'a port to masquerade to', expr: [{ masquerade: { port: 1024 } }] },
    { name: 'a set', expr: [match('==', SOURCE, '@peers'), { return: null }] },
    { name: 'an anonymous set', expr: [match('==', SOURCE, { set: ['10.5.34.2'] }), { return: null }] },
    { name: 'a range', expr: [match('==', SOURCE, { range: ['10.5.34.2', '10.5.34.9'] }), { return: null }] },
    { name: 'another field', expr: [match('==', { meta: { key: 'oifname' } }, 'eth0'), { return: null }] },
    { name: 'another operator', expr: [match('<', MARK, 7), { return: null }] },
    { name: 'a negated mark', expr: [match('!=', MARK, 7), { return: null }] },
    { name: 'a mark among several', expr: [match('==', MARK, { set: [1, 2] }), { return: null }] },
    {
      name: 'two sources',
      expr: [match('!=', SOURCE, '10.5.34.2'), match('!=', SOURCE, '10.5.34.3'), { return: null }],
    },
    { name: 'a limit', expr: [{ limit: { rate: 5, per: 'second' } }, { return: null }] },
    { name: 'no expression', expr: undefined },
  ];
  for (const { name, expr } of unreadable) {
    it(`keeps as text a rule with ${name}`, () => {
      const state = parseRule(expr);
      assert.deepEqual(state.rules, []);
      assert.deepEqual(state.unreadable, [
        `rule ${JSON.stringify({ family: 'ip', table: TABLE, chain: 'postrouting', expr })}`,
      ]);
    });
  }

  const strange: readonly { readonly name: string; readonly objects: readonly object[] }[] = [
    {
      name: 'a dormant table',
      objects: [{ table: { ...TABLE_LINE.table, flags: ['dormant'] } }, CHAIN_LINE],
    },
    { name: 'a chain of another hook', objects: [{ chain: { ...CHAIN_LINE.chain, hook: 'input' } }] },
    { name: 'a chain of another priority', objects: [{ chain: { ...CHAIN_LINE.chain, prio: 0 } }] },
    { name: 'a chain of another policy', objects: [{ chain: { ...CHAIN_LINE.chain, policy: 'drop' } }] },
    {
      name: 'a chain without a hook',
      objects: [{ chain: { family: 'ip', table: TABLE, name: 'postrouting' } }],
    },
    { name: 'another chain', objects: [CHAIN_LINE, { chain: { ...CHAIN_LINE.chain, name: 'other' } }] },
    {
      name: 'a rule in another chain',
      objects: [{ rule: { ...AT, chain: 'other', expr: [{ return: null }] } }],
    },
    { name: 'a set', objects: [{ set: { family: 'ip', table: TABLE, name: 'peers', type: 'ipv4_addr' } }] },
  ];
  for (const { name, objects } of strange) {
    it(`keeps ${name} as text`, () => assert.equal(parse(...objects).unreadable.length, 1));
  }

  it('refuses what is no listing', () => {
    assert.throws(() => parseTable('', 'ipv4', TABLE), SyntaxError);
    assert.throws(() => parseTable('{}', 'ipv4', TABLE), TypeError);
  });
});

describe('writing a table', () => {
  const state = {
    family: 'ipv6',
    table: TABLE,
    rules: [{ verdict: 'masquerade' }],
    unreadable: [],
  } as const;

  it('replaces the whole table in one transaction, with the priority as a number', () => {
    const { nftables } = JSON.parse(replacement(state, true));
    assert.deepEqual(
      nftables.map((command: Record<string, object>) =>
        Object.entries(command).map(([verb, object]) => `${verb} ${Object.keys(object)}`),
      ),
      [['add table'], ['delete table'], ['add table'], ['add chain'], ['add rule']],
    );
    assert.equal(nftables[3].add.chain.prio, 100);
  });

  it('asks for random ports only where that is known', () => {
    assert.match(replacement(state, true), /fully-random/);
    assert.doesNotMatch(replacement(state, false), /fully-random/);
  });
});
