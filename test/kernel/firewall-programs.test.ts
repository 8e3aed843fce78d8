/** Hosts whose firewall programs are old, missing, forbidden or confused by others' rules. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parsePrefix } from '../../src/model/address.js';
import type { ForwardState, MasqueradeState } from '../../src/model/objects.js';
import { masqueradeRules } from '../../src/model/traffic-rules.js';
import { SystemError } from '../../src/ports.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { type Command, type RunProgram, runProgram } from '../../src/sys/run-program.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { script } from '../lab/neighbours.js';
import { LongProcess, outputOf } from '../lab/process.js';

const TABLE = 'flannelette-flannel0';
const CHAIN = 'FLANNEL-FWD';
const NETWORK = parsePrefix('10.5.0.0/16');
const MASQUERADE: MasqueradeState = {
  family: 'ipv4',
  table: TABLE,
  rules: masqueradeRules(NETWORK, parsePrefix('10.5.34.0/24')),
  unreadable: [],
};
const FORWARD: ForwardState = {
  family: 'ipv4',
  chain: CHAIN,
  accept: [NETWORK],
  jump: true,
  unreadable: [],
};
const { signal } = new AbortController();

function test(name: string, body: () => Promise<void>): void {
  it(name, () => inFreshNamespace(body));
}

describe('an nft that does not know fully-random', () => {
  const commands: Command[] = [];
  const old: RunProgram = async (command, abort) => {
    commands.push(command);
    if (!command.args.some((argument) => argument.includes('fully-random')))
      return runProgram(command, abort);
    return { code: 1, stdout: '', stderr: 'Error: Unknown flag' };
  };

  test('masquerades without, reads back equal and is asked once', async () => {
    const firewall = new HostFirewall(old);
    await firewall.replaceMasquerade(MASQUERADE, signal);
    assert.deepEqual(await firewall.masquerade('ipv4', TABLE, signal), MASQUERADE);
    assert.match(await outputOf(['nft', 'list', 'table', 'ip', TABLE]), /masquerade$/m);
    commands.length = 0;
    await firewall.replaceMasquerade(MASQUERADE, signal);
    assert.equal(commands.length, 1);
  });

  test('is not mistaken for one that refuses everything', async () => {
    let isBroken = true;
    const firewall = new HostFirewall(async (command, abort) =>
      isBroken ? { code: 1, stdout: '', stderr: 'Error: out of memory' } : runProgram(command, abort),
    );
    await assert.rejects(firewall.replaceMasquerade(MASQUERADE, signal), /out of memory/);
    isBroken = false;
    await firewall.replaceMasquerade(MASQUERADE, signal);
    assert.match(await outputOf(['nft', 'list', 'table', 'ip', TABLE]), /masquerade fully-random$/m);
  });
});

describe('a program that is not installed', () => {
  const firewall = new HostFirewall(async ({ program }) => {
    throw new SystemError(`Cannot run "${program}": it is not installed (ENOENT)`, 'ENOENT');
  });

  test('has made nothing, and is named when something is to be made', async () => {
    assert.equal(await firewall.masquerade('ipv4', TABLE, signal), undefined);
    assert.equal(await firewall.forward('ipv4', CHAIN, signal), undefined);
    assert.deepEqual(await firewall.flannelRules(signal), []);
    await assert.rejects(
      firewall.replaceMasquerade(MASQUERADE, signal),
      /Cannot run "nft": it is not installed/,
    );
    await assert.rejects(
      firewall.replaceForward(FORWARD, signal),
      /Cannot run "iptables": it is not installed/,
    );
  });

  test('is not missed when it is the legacy one', async () => {
    await script('iptables-legacy -w 5 -S');
    const withoutLegacy = new HostFirewall(async (command, abort) => {
      if (command.program.includes('legacy')) throw new SystemError('it is not installed', 'ENOENT');
      return runProgram(command, abort);
    });
    await withoutLegacy.replaceForward(FORWARD, signal);
    assert.deepEqual((await withoutLegacy.forward('ipv4', CHAIN, signal))?.state, FORWARD);
  });
});

describe('a user without the privilege', () => {
  const firewall = new HostFirewall((command, abort) => {
    const args = ['--reuid', '65534', '--clear-groups', command.program, ...command.args];
    return runProgram({ ...command, program: 'setpriv', args }, abort);
  });

  test('is told which one is missing', async () => {
    for (const call of [
      () => firewall.masquerade('ipv4', TABLE, signal),
      () => firewall.replaceMasquerade(MASQUERADE, signal),
      () => firewall.deleteMasquerade('ipv4', TABLE, signal),
      () => firewall.forward('ipv4', CHAIN, signal),
      () => firewall.replaceForward(FORWARD, signal),
      () => firewall.deleteForward('ipv4', CHAIN, signal),
      () => firewall.flannelRules(signal),
    ]) {
      await assert.rejects(call(), { name: 'PrivilegeError', capability: 'CAP_NET_ADMIN' });
    }
  });
});

describe('a filter table with a rule that only nft can express', () => {
  const firewall = new HostFirewall();

  test('is not taken for one without our chain', async () => {
    await firewall.replaceForward(FORWARD, signal);
    await script('nft insert rule ip filter FORWARD ct mark 7 accept');
    await assert.rejects(firewall.forward('ipv4', CHAIN, signal), {
      name: 'ObserveError',
      message: /^Cannot list the rules of iptables: .*table `filter' is incompatible, use 'nft' tool/,
    });
  });
});

describe('the lock of the legacy tables', () => {
  test('held by somebody, is waited for, then given up with nothing done in them', async () => {
    // A lock of our own: that of the machine has other users.
    const directory = await mkdtemp(join(tmpdir(), 'xtables-'));
    const lock = join(directory, 'lock');
    process.env.XTABLES_LOCKFILE = lock;
    const holder = new LongProcess(['flock', '--no-fork', lock, 'sh', '-c', 'echo held; exec sleep 60']);
    try {
      await script('iptables-legacy -P FORWARD DROP');
      const firewall = new HostFirewall();
      await holder.waitForLine(/^held$/, 5000);
      await assert.rejects(firewall.replaceForward(FORWARD, signal), /xtables lock/);
      await holder.stop();
      assert.doesNotMatch(await outputOf(['iptables-legacy', '-S']), new RegExp(CHAIN));
      await firewall.replaceForward(FORWARD, signal);
      assert.deepEqual((await firewall.forward('ipv4', CHAIN, signal))?.state, FORWARD);
    } finally {
      delete process.env.XTABLES_LOCKFILE;
      await holder.stop();
      await rm(directory, { recursive: true });
    }
  });
});
