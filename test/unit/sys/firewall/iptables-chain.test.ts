import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../../../src/model/address.js';
import type { ForwardState } from '../../../../src/model/objects.js';
import {
  forwardOf,
  parseListing,
  removal,
  replacement,
} from '../../../../src/sys/firewall/iptables-chain.js';

const CHAIN = 'FLANNEL-FWD';
const OURS = '-m comment --comment flannelette';
const FLANNELD = '-m comment --comment "flanneld forward"';
const NETWORK = parsePrefix('10.5.0.0/16');
const WANTED: ForwardState = { family: 'ipv4', chain: CHAIN, accept: [NETWORK], jump: true, unreadable: [] };
const RULES = [
  `-A ${CHAIN} -s 10.5.0.0/16 ${OURS} -j ACCEPT`,
  `-A ${CHAIN} -d 10.5.0.0/16 ${OURS} -j ACCEPT`,
];
const JUMP = `-A FORWARD ${OURS} -j ${CHAIN}`;

function listing(...rules: readonly string[]) {
  const policies = [
    '-P INPUT ACCEPT',
    '-P FORWARD DROP',
    '-P OUTPUT ACCEPT',
    `-N ${CHAIN}`,
    `-N ${CHAIN}-green`,
  ];
  const found = parseListing([...policies, ...rules, ''].join('\n'), CHAIN);
  assert.ok(found);
  return found;
}

function found(...rules: readonly string[]) {
  return forwardOf(listing(...rules), 'ipv4', CHAIN);
}

describe('reading the forward chain', () => {
  it('finds no chain where there is none', () => {
    assert.equal(parseListing('-P FORWARD ACCEPT\n-N FLANNEL-FWD-green\n', CHAIN), undefined);
  });

  it('reads what we write', () => {
    assert.deepEqual(found(JUMP, ...RULES), { state: WANTED, ours: true });
  });

  it('does not take the chain of another instance for it', () => {
    const other = `-A ${CHAIN}-green -s 10.9.0.0/16 ${OURS} -j ACCEPT`;
    assert.deepEqual(found(JUMP, `-A FORWARD ${OURS} -j ${CHAIN}-green`, ...RULES, other).state, WANTED);
  });

  const noJumps: readonly { readonly name: string; readonly rule: string }[] = [
    { name: 'on a condition', rule: `-A FORWARD -i eth0 -j ${CHAIN}` },
    { name: 'from another chain', rule: `-A DOCKER-USER ${OURS} -j ${CHAIN}` },
    { name: 'that does not come back', rule: `-A FORWARD ${OURS} -g ${CHAIN}` },
    { name: 'named in a comment alone', rule: `-A FORWARD -m comment --comment "-j ${CHAIN}" -j ACCEPT` },
    { name: 'into a longer name', rule: `-A FORWARD -j ${CHAIN}-green` },
  ];
  for (const { name, rule } of noJumps) {
    it(`does not count a jump ${name}`, () => assert.equal(found(rule, ...RULES).state.jump, false));
  }

  it('counts a jump of anybody', () => {
    for (const rule of [`-A FORWARD -j ${CHAIN}`, `-A FORWARD ${FLANNELD} -j ${CHAIN}`]) {
      assert.equal(found(rule, ...RULES).state.jump, true);
    }
  });

  const strange: readonly {
    readonly name: string;
    readonly rules: readonly string[];
    readonly kept: number;
  }[] = [
    { name: 'source without destination', rules: RULES.slice(0, 1), kept: 1 },
    { name: 'destination before source', rules: [...RULES].reverse(), kept: 2 },
    { name: 'one more condition', rules: RULES.map((rule) => rule.replace(' -m', ' -i eth0 -m')), kept: 2 },
    { name: 'another verdict', rules: RULES.map((rule) => rule.replace('ACCEPT', 'DROP')), kept: 2 },
    { name: 'a negation', rules: RULES.map((rule) => rule.replace(/(-[sd]) /, '! $1 ')), kept: 2 },
    { name: 'everything accepted', rules: [`-A ${CHAIN} ${OURS} -j ACCEPT`], kept: 1 },
    { name: 'no verdict', rules: [`-A ${CHAIN}`], kept: 1 },
  ];
  for (const { name, rules, kept } of strange) {
    it(`keeps as text: ${name}`, () => {
      const { state } = found(...rules);
      assert.deepEqual(state.accept, []);
      assert.deepEqual(state.unreadable, rules.slice(0, kept));
    });
  }

  const owners: readonly {
    readonly name: string;
    readonly rules: readonly string[];
    readonly ours: boolean;
  }[] = [
    {
      name: 'flanneld, by its comments',
      rules: [JUMP, ...RULES].map((rule) => rule.replace(OURS, FLANNELD)),
      ours: false,
    },
    {
      name: 'somebody who writes no comments',
      rules: RULES.map((rule) => rule.replace(` ${OURS}`, '')),
      ours: false,
    },
    {
      name: 'somebody whose comment only speaks of us',
      rules: RULES.map((rule) => rule.replace(OURS, '-m comment --comment "not flannelette"')),
      ours: false,
    },
    { name: 'us, although somebody put rules in front', rules: [`-A ${CHAIN} -j LOG`, ...RULES], ours: true },
    { name: 'us, although the chain was flushed', rules: [JUMP], ours: true },
    { name: 'nobody when everything was flushed, so it is free', rules: [], ours: true },
    { name: 'flanneld, although its chain was flushed', rules: [JUMP.replace(OURS, FLANNELD)], ours: false },
  ];
  for (const { name, rules, ours } of owners) {
    it(`belongs to ${name}`, () => assert.equal(found(...rules).ours, ours));
  }

  it('reads quoted comments', () => {
    const comment = '-m comment --comment "it\\\'s \\"quoted\\" \\\\ -j DROP"';
    const rules = RULES.map((rule) => rule.replace(OURS, comment));
    assert.deepEqual(found(JUMP, ...rules).state, WANTED);
  });
});

describe('writing the forward chain', () => {
  const make = `*filter
:FLANNEL-FWD - [0:0]
-A FLANNEL-FWD -s 10.5.0.0/16 -m comment --comment flannelette -j ACCEPT
-A FLANNEL-FWD -d 10.5.0.0/16 -m comment --comment flannelette -j ACCEPT
`;

  it('makes the chain and the jump in one transaction', () => {
    assert.equal(replacement(WANTED, undefined), `${make}${JUMP}\nCOMMIT\n`);
  });

  it('leaves a jump that is there', () => {
    const jump = `-A FORWARD ${FLANNELD} -j ${CHAIN}`;
    assert.equal(replacement(WANTED, listing(jump)), `${make}COMMIT\n`);
  });

  it('adds the jump beside one that is on a condition', () => {
    assert.equal(replacement(WANTED, listing(`-A FORWARD -i eth0 -j ${CHAIN}`)), `${make}${JUMP}\nCOMMIT\n`);
  });

  it('removes the jumps when none is wanted, and leaves those on a condition', () => {
    const jumps = [JUMP, `-A FORWARD -i eth0 -j ${CHAIN}`, JUMP];
    const gone = JUMP.replace('-A', '-D');
    assert.equal(
      replacement({ ...WANTED, jump: false }, listing(...jumps)),
      `${make}${gone}\n${gone}\nCOMMIT\n`,
    );
  });

  it('removes whatever leads into the chain together with it', () => {
    const jumps = [JUMP, `-A DOCKER-USER -i eth0 -g ${CHAIN}`];
    assert.equal(
      removal(CHAIN, listing(...jumps, ...RULES)),
      `*filter
-D FORWARD -m comment --comment flannelette -j FLANNEL-FWD
-D DOCKER-USER -i eth0 -g FLANNEL-FWD
-F FLANNEL-FWD
-X FLANNEL-FWD
COMMIT
`,
    );
  });
});
