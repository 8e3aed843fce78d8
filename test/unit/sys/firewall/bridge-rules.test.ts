/** Reading Docker's rules around its bridge, from what the programs print of Docker 20.10, 28 and 29. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../../../src/model/address.js';
import { type BridgeQuestion, ObserveError, PrivilegeError, SystemError } from '../../../../src/ports.js';
import { BridgeRules } from '../../../../src/sys/firewall/bridge-rules.js';
import type { ProgramOutput } from '../../../../src/sys/run-program.js';
import { DOCKER_20, DOCKER_28, UNPUBLISHED } from './printed-rules.js';

const QUESTION: BridgeQuestion = {
  bridge: 'docker0',
  subnet: parsePrefix('4.0.100.0/24'),
  devices: ['flannel0'],
};
const { signal } = new AbortController();
const NO_TABLE = { code: 1, stdout: '', stderr: 'Error: No such file or directory\n' };

interface Programs {
  readonly saved?: string | ProgramOutput;
  readonly nft?: string | ProgramOutput;
}

function read({ saved = '', nft = NO_TABLE }: Programs) {
  const rules = new BridgeRules(async ({ program }) => {
    const output = program === 'nft' ? nft : saved;
    return typeof output === 'string' ? { code: 0, stdout: output, stderr: '' } : output;
  });
  return rules.read(QUESTION, signal);
}

const DIRECT = '-t raw -A PREROUTING -d 4.0.100.2/32 ! -i docker0 -j DROP';

describe("Docker's rules by iptables", () => {
  it('lets packets through to the bridge of Docker 20.10, whatever the policy', async () => {
    assert.deepEqual(await read({ saved: DOCKER_20 }), { masquerades: true, drops: [] });
  });

  it('sees that another subnet is masqueraded, not ours', async () => {
    const saved = DOCKER_20.replace('-A POSTROUTING -s 4.0.100.0/24', '-A POSTROUTING -s 172.17.0.0/16');
    assert.equal((await read({ saved })).masquerades, false);
  });

  it('finds both drops of Docker 28, and none of another bridge', async () => {
    assert.deepEqual((await read({ saved: DOCKER_28 })).drops, [
      { at: 'prerouting', rule: DIRECT, by: 'iptables' },
      { at: 'forward', rule: UNPUBLISHED, by: 'iptables' },
    ]);
  });

  it('follows a jump that asks an ipset, as Docker 28.0 makes it', async () => {
    const saved = DOCKER_28.replace('-A DOCKER-FORWARD -j DOCKER-BRIDGE', '').replace(
      '-A DOCKER-FORWARD -i',
      '-A DOCKER-FORWARD -m set --match-set docker-ext-bridges-v4 dst -j DOCKER\n$&',
    );
    assert.deepEqual(
      (await read({ saved })).drops.map(({ rule }) => rule),
      [DIRECT, UNPUBLISHED],
    );
  });

  it('finds the drop of a published port, as Docker 28.0 makes it', async () => {
    const rule = DIRECT.replace('-j', '-p tcp -m tcp --dport 443 -j');
    const saved = DOCKER_28.replace(DIRECT.slice(7), rule.slice(7));
    assert.equal((await read({ saved })).drops[0]?.rule, rule);
  });

  const remedies: readonly {
    readonly name: string;
    readonly saved: string;
    readonly left: readonly string[];
  }[] = [
    {
      name: 'allow-direct-routing',
      saved: DOCKER_28.replace(`${DIRECT.slice(7)}\n`, ''),
      left: [UNPUBLISHED],
    },
    {
      name: 'a trusted interface',
      saved: DOCKER_28.replace(DIRECT.slice(7), `-A PREROUTING -d 4.0.100.2/32 -i flannel0 -j ACCEPT\n$&`),
      left: [UNPUBLISHED],
    },
    {
      name: 'an exception in DOCKER-USER',
      saved: DOCKER_28.replace('-A DOCKER ', '-A DOCKER-USER -d 4.0.100.0/24 -j ACCEPT\n-A DOCKER '),
      left: [DIRECT],
    },
    {
      name: 'nat-unprotected',
      saved: DOCKER_28.replace(`${DIRECT.slice(7)}\n`, '').replace(
        UNPUBLISHED,
        UNPUBLISHED.replace('DROP', 'ACCEPT'),
      ),
      left: [],
    },
  ];
  for (const { name, saved, left } of remedies) {
    it(`knows what is left after ${name}`, async () => {
      assert.notEqual(saved, DOCKER_28);
      assert.deepEqual(
        (await read({ saved })).drops.map(({ rule }) => rule),
        left,
      );
    });
  }

  const noRemedies: readonly { readonly name: string; readonly rule: string }[] = [
    { name: 'another network', rule: '-A DOCKER-USER -d 4.0.32.0/24 -j ACCEPT' },
    { name: 'one address of ours', rule: '-A DOCKER-USER -d 4.0.100.9/32 -j ACCEPT' },
    { name: 'all but one address', rule: '-A DOCKER-USER ! -d 4.0.100.9/32 -j ACCEPT' },
    { name: 'another device', rule: '-A DOCKER-USER -i eth0 -j ACCEPT' },
    { name: 'one port', rule: '-A DOCKER-USER -i flannel0 -p tcp -m tcp --dport 22 -j ACCEPT' },
    { name: 'some senders', rule: '-A DOCKER-USER -s 4.0.32.0/24 -j ACCEPT' },
    { name: 'what is answered', rule: '-A DOCKER-USER -m conntrack --ctstate ESTABLISHED -j ACCEPT' },
    {
      name: 'a chain that is left before',
      rule: '-A DOCKER-USER -j RETURN\n-A DOCKER-USER -i flannel0 -j ACCEPT',
    },
  ];
  for (const { name, rule } of noRemedies) {
    it(`does not take an exception for ${name} for one`, async () => {
      const saved = DOCKER_28.replace('-A DOCKER ', `${rule}\n-A DOCKER `);
      assert.ok((await read({ saved })).drops.some(({ rule }) => rule === UNPUBLISHED));
    });
  }

  it('leaves drops that are not of Docker to those who made them', async () => {
    const saved = DOCKER_20.replace('-A DOCKER-USER -j RETURN', '-A DOCKER-USER -d 4.0.100.0/24 -j DROP');
    assert.deepEqual((await read({ saved })).drops, []);
  });
});

/** A rule as `nft --json` prints it. */
function rule(chain: string, comment: string, ...expr: readonly object[]) {
  const counter = { counter: { packets: 0, bytes: 0 } };
  const last = expr.at(-1) ?? {};
  return {
    rule: {
      family: 'ip',
      table: 'docker-bridges',
      chain,
      handle: 7,
      comment,
      expr: [...expr.slice(0, -1), counter, last],
    },
  };
}

const to = (address: string) => ({
  match: { op: '==', left: { payload: { protocol: 'ip', field: 'daddr' } }, right: address },
});
const notFrom = (right: unknown) => ({ match: { op: '!=', left: { meta: { key: 'iifname' } }, right } });
const DROP = { drop: null };
const IN = 'filter-forward-in__docker0';
const PORT = { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 80 } };

function listing(...rules: readonly object[]): string {
  const table = { table: { family: 'ip', name: 'docker-bridges', handle: 1 } };
  return JSON.stringify({ nftables: [{ metainfo: { json_schema_version: 1 } }, table, ...rules] });
}

describe("Docker's rules by nft", () => {
  it('finds both drops, and none of another bridge', async () => {
    const nft = listing(
      rule('raw-PREROUTING', 'DROP DIRECT ACCESS', to('4.0.100.2'), notFrom('docker0'), DROP),
      rule('raw-PREROUTING', 'DROP DIRECT ACCESS', to('172.18.0.2'), notFrom('bridge1'), DROP),
      rule(IN, '', to('4.0.100.2'), PORT, { accept: null }),
      rule(IN, 'UNPUBLISHED PORT DROP', DROP),
      rule('filter-forward-in__bridge1', 'UNPUBLISHED PORT DROP', DROP),
    );
    assert.deepEqual(await read({ nft }), {
      masquerades: false,
      drops: [
        {
          at: 'prerouting',
          rule: 'docker-bridges raw-PREROUTING ip daddr 4.0.100.2/32 drop "DROP DIRECT ACCESS"',
          by: 'nftables',
        },
        { at: 'forward', rule: `docker-bridges ${IN} drop "UNPUBLISHED PORT DROP"`, by: 'nftables' },
      ],
    });
  });

  it('sees that a device is trusted, and that the network is unprotected', async () => {
    const nft = listing(
      rule('raw-PREROUTING', '', to('4.0.100.2'), notFrom({ set: ['docker0', 'flannel0'] }), DROP),
      rule(IN, 'UNPROTECTED', { accept: null }),
    );
    assert.deepEqual((await read({ nft })).drops, []);
  });

  it('sees the masquerading', async () => {
    const nft = listing(rule('nat-postrouting-out__docker0', 'MASQUERADE', { masquerade: null }));
    assert.equal((await read({ nft })).masquerades, true);
  });
});

describe('rules that cannot be read', () => {
  it('rejects with what the program said, or with the privilege that is missing', async () => {
    const broken = { code: 1, stdout: '', stderr: 'out of order' };
    await assert.rejects(read({ saved: broken }), ObserveError);
    await assert.rejects(read({ nft: broken }), ObserveError);
    await assert.rejects(read({ nft: 'no JSON' }), ObserveError);
    await assert.rejects(
      read({ saved: { ...broken, stderr: 'Permission denied (you must be root)' } }),
      PrivilegeError,
    );
  });

  it('takes a program that is not installed for one that made no rules', async () => {
    const rules = new BridgeRules(async () => {
      throw new SystemError('it is not installed', 'ENOENT');
    });
    assert.deepEqual(await rules.read(QUESTION, signal), { masquerades: false, drops: [] });
  });
});
