import assert from 'node:assert/strict';
import test from 'node:test';
import { CommandError, EXIT } from '../../../src/cli/exit-codes.js';
import { ObserveError, PrivilegeError } from '../../../src/ports.js';
import { isLeaseKey } from '../../../src/wire/flannel-store.js';
import { CommandWorld } from './command-world.js';

const BAD = 'network: { cidr: 4.0.0.1/16 }\n';
const NEVER = new AbortController().signal;
const LOCKED = ['lock flannel0', 'open', 'close', 'release'];

test('apply on a bare host ends with 0, and after it there is no difference', async () => {
  const world = new CommandWorld();
  const apply = await world.run('apply');
  assert.equal(apply.exitCode, EXIT.done);
  assert.match(apply.stdout, /^Apply: \d+ done, converged$/m);
  assert.deepEqual(world.log, LOCKED);
  const diff = await world.run('diff');
  assert.deepEqual(diff, {
    exitCode: 0,
    stdout: 'Plan: 0 to create, 0 to update, 0 to delete, 0 foreign left alone\n',
    stderr: '',
  });
});

test('for backend udp apply says who carries the packets, and by when', async () => {
  const { stderr } = await new CommandWorld().run('apply');
  assert.match(
    stderr,
    /Backend udp forwards nothing until `flannelette run` .*within 24 h, or the lease expires\n$/,
  );
});

test('diff ends with 1 when something is to be done, and does nothing', async () => {
  const world = new CommandWorld();
  const { exitCode, stdout } = await world.run('diff');
  assert.equal(exitCode, EXIT.drift);
  assert.match(stdout, /^ {2}\+ link:flannel0 /m);
  assert.equal(world.host.writes, 0);
  assert.deepEqual(world.log, ['open', 'close'], 'and needs no lock');
});

test('what the kernel refuses ends apply with 3, naming it, and nothing is left of the rest', async () => {
  const world = new CommandWorld();
  world.host.kernel.refuse = (operation) => (operation.includes('mtu') ? 'EPERM' : undefined);
  const before = (await world.run('diff')).stdout;
  const { exitCode, stdout, stderr } = await world.run('apply');
  assert.equal(exitCode, EXIT.rolledBack);
  assert.match(stderr, /^Not everything could be done: link:flannel0: Cannot set link flannel0 mtu 1472/);
  assert.match(stderr, /\. Everything is as it was before$/m);
  assert.match(stdout, /^ {2}\+ link:flannel0 .*: Cannot set link flannel0 mtu 1472/m);
  assert.match(
    stdout,
    /^ {2}~ link:flannel0 .*: Cannot set link .* \(4 times\)$/m,
    'a try that was repeated',
  );
  assert.equal(stdout.match(/ link:flannel0/g)?.length, 2);
  assert.match(stdout, /^Apply: \d+ done, failed, rolled back$/m);
  assert.deepEqual(world.log, ['open', 'close', ...LOCKED]);
  assert.equal((await world.run('diff')).stdout, before);
});

test('so does what cannot be seen', async () => {
  const world = new CommandWorld();
  world.host.firewall.failure = { reads: new ObserveError('Cannot run nft: broken') };
  assert.deepEqual(await world.run('diff'), {
    exitCode: EXIT.failed,
    stdout: '',
    stderr: 'Cannot run nft: broken\n',
  });
  assert.deepEqual(world.log, ['open', 'close']);
});

test('and what cannot be decided, with what it waits for', async () => {
  const world = new CommandWorld('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n');
  for (const verb of ['diff', 'apply']) {
    const { exitCode, stderr } = await world.run(verb);
    assert.equal(exitCode, EXIT.failed, verb);
    assert.match(
      stderr,
      /no network is declared: neither in the file nor in the store under \/coreos\.com\/network\/config/,
    );
  }
  assert.equal(world.host.writes, 0);
});

test('what is not done at the time-out ends apply with 6', async () => {
  const world = new CommandWorld();
  world.host.kernel.refuse = () => 'EBUSY';
  const { exitCode, stderr } = await world.run('apply', '--timeout', '500ms');
  assert.equal(exitCode, EXIT.converging);
  assert.equal(stderr, 'Still converging at the time-out\n');
});

test('something foreign in the way ends diff and apply with 7, naming it', async () => {
  const world = new CommandWorld();
  world.host.kernel.addLink({ name: 'flannel0', kind: 'dummy' });
  const diff = await world.run('diff');
  assert.equal(diff.exitCode, EXIT.conflict);
  assert.match(diff.stdout, /^ {2}! link:flannel0 .*not ours: kind dummy, want tun/m);
  const apply = await world.run('apply');
  assert.equal(apply.exitCode, EXIT.conflict);
  assert.match(apply.stderr, /^Something else is in the way: link:flannel0: not ours: kind dummy/);
});

for (const verb of ['diff', 'apply', 'run', 'status', 'destroy']) {
  test(`a wrong file ends ${verb} with 65, and it has then touched nothing`, async () => {
    const world = new CommandWorld(BAD);
    const { exitCode, stdout, stderr } = await world.run(verb);
    assert.deepEqual([exitCode, stdout], [EXIT.invalidConfig, '']);
    assert.match(stderr, /^\/etc\/flannelette\.yaml:1:18: network\.cidr: "4\.0\.0\.1\/16" is not allowed/);
    assert.deepEqual([world.log, world.host.writes], [[], 0]);
  });

  test(`so does a missing one: ${verb}`, async () => {
    const { exitCode, stderr } = await new CommandWorld().run(verb, '-f', 'other.yaml');
    assert.equal(exitCode, EXIT.invalidConfig);
    assert.equal(stderr, 'Cannot read /etc/other.yaml: there is no such file\n');
  });
}

test('a store that does not answer ends diff with 69 at once, and apply at its time-out', async () => {
  const world = new CommandWorld();
  world.host.store.goDown();
  const failed = {
    exitCode: EXIT.storeUnreachable,
    stdout: '',
    stderr: 'Cannot use fake store: connection refused; `flannelette doctor` looks closer\n',
  };
  assert.deepEqual(await world.run('diff'), failed);
  assert.equal(world.clock.boottimeMs(), 0);
  assert.deepEqual(await world.run('apply', '--timeout', '5s'), failed);
  assert.equal(world.clock.boottimeMs(), 5_000);
  assert.deepEqual(world.log, ['open', 'close', ...LOCKED]);
});

test('a store that is just starting is waited for', async () => {
  const world = new CommandWorld();
  world.host.store.goDown();
  void world.clock.sleep(7_000, world.stop.signal).then(() => world.host.store.comeBack());
  assert.equal((await world.run('apply')).exitCode, EXIT.done);
  assert.equal(world.clock.boottimeMs(), 7_000);
});

for (const verb of ['apply', 'run', 'destroy']) {
  test(`an instance that another process holds ends ${verb} with 75`, async () => {
    const world = new CommandWorld();
    world.beforeLock = () => {
      throw new CommandError('Instance flannel0 is held by process 42', EXIT.held);
    };
    assert.deepEqual(await world.run(verb), {
      exitCode: EXIT.held,
      stdout: '',
      stderr: 'Instance flannel0 is held by process 42\n',
    });
    assert.deepEqual([world.log, world.host.writes], [[], 0]);
  });

  test(`a missing privilege ends ${verb} with 77, naming it, before anything is touched`, async () => {
    const world = new CommandWorld();
    world.requirePrivileges = async () => {
      throw new PrivilegeError('Cannot change devices: CAP_NET_ADMIN is missing', 'CAP_NET_ADMIN');
    };
    assert.deepEqual(await world.run(verb), {
      exitCode: EXIT.privilege,
      stdout: '',
      stderr: 'Cannot change devices: CAP_NET_ADMIN is missing\n',
    });
    // The daemon takes the instance first: it forwards before it asks for anything else.
    assert.deepEqual(world.log, verb === 'run' ? ['lock flannel0', 'release'] : []);
    assert.equal(world.host.writes, 0);
    assert.equal(world.host.store.asked.snapshot, 0);
  });
}

test('whoever is interrupted ends with 130, whatever went wrong by that', async () => {
  const world = new CommandWorld();
  world.host.store.goDown();
  void world.clock.sleep(2_000, world.stop.signal).then(() => world.stop.abort(new Error('Received SIGINT')));
  assert.deepEqual(await world.run('apply'), {
    exitCode: EXIT.interrupted,
    stdout: '',
    stderr: 'Interrupted\n',
  });
  assert.deepEqual(world.log, LOCKED);
});

test('unless not everything could be put back: then it says what, and ends with 4', async () => {
  const world = new CommandWorld();
  world.host.kernel.refuse = (operation) => {
    if (!operation.startsWith('set link')) return world.stop.signal.aborted ? 'EPERM' : undefined;
    world.stop.abort(new Error('Received SIGINT'));
    return undefined;
  };
  const { exitCode, stderr } = await world.run('apply');
  assert.equal(exitCode, EXIT.rollbackFailed);
  assert.match(stderr, /^Received SIGINT\. Not everything could be put back:\n(.*\n)* {2}link:flannel0: /);
});

test('run ends with 0 when it is told to stop, and gives the instance back', async () => {
  const world = new CommandWorld();
  assert.deepEqual(await world.run('run'), { exitCode: EXIT.done, stdout: '', stderr: '' });
  assert.deepEqual(world.log, ['lock flannel0', 'run /etc/flannelette.yaml', 'release']);
});

test('a daemon that fails ends run with 2, and gives the instance back', async () => {
  const world = new CommandWorld();
  world.runDaemon = async () => {
    throw new Error('Cannot open a socket (EMFILE)');
  };
  assert.deepEqual(await world.run('run'), {
    exitCode: EXIT.failed,
    stdout: '',
    stderr: 'Cannot open a socket (EMFILE)\n',
  });
  assert.equal(world.log.at(-1), 'release');
});

// ---- destroy ---------------------------------------------------------------------------------------------

test('destroy leaves nothing on the host, and the lease to the host unless it is given back', async () => {
  const world = new CommandWorld();
  const bare = world.host.kernel.lines();
  await world.run('apply');
  const destroy = await world.run('destroy');
  assert.equal(destroy.exitCode, EXIT.done);
  assert.match(destroy.stdout, /^ {2}- link:flannel0 .*\[interrupts traffic\]$/m);
  assert.match(destroy.stdout, /^Destroy: \d+ done, converged$/m);
  // Settings have no owner: they stay.
  const ours = (line: string) => !line.startsWith('sysctl ') && !bare.includes(line);
  assert.deepEqual(world.host.kernel.lines().filter(ours), []);
  assert.equal(await world.host.files.read('/run/flannel/subnet.env'), undefined);
  assert.notEqual(await world.host.store.valueOf('subnets/4.0.100.0-24'), undefined);

  assert.equal((await world.run('destroy', '--lease')).exitCode, EXIT.done);
  assert.equal(await world.host.store.valueOf('subnets/4.0.100.0-24'), undefined);
  assert.notEqual(await world.host.store.valueOf('config'), undefined, 'the network is of all hosts');
});

test('destroy needs no store, but to give the lease back: what is on the host goes all the same', async () => {
  const world = new CommandWorld();
  await world.run('apply');
  world.host.store.goDown();
  const { exitCode, stdout, stderr } = await world.run('destroy', '--lease');
  assert.equal(exitCode, EXIT.storeUnreachable);
  assert.match(stdout, /^ {2}- link:flannel0 .*\n(.*\n)*Destroy: \d+ done, converged$/m);
  assert.match(
    stderr,
    /^The lease was not given back: Cannot use fake store: connection refused; run `flannelette destroy --lease` again/,
  );
  assert.equal((await world.run('destroy')).exitCode, EXIT.done);
});

const NETWORK_OF_STORE = 'store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n';
for (const network of [undefined, 'no network']) {
  test(`destroy gives the lease back, also when the store's network is ${network ?? 'gone'}`, async () => {
    const world = new CommandWorld(NETWORK_OF_STORE);
    const { store } = world.host;
    await store.put('config', '{"Network":"4.0.0.0/16","Backend":{"Type":"vxlan"}}');
    assert.equal((await world.run('apply')).exitCode, EXIT.done);
    const [subnet] = (await store.snapshot(NEVER)).entries.map(({ key }) => key).filter(isLeaseKey);
    if (network === undefined) await store.delete('config');
    else await store.put('config', network);
    const { exitCode, stdout } = await world.run('destroy', '--lease');
    assert.equal(exitCode, EXIT.done);
    assert.match(stdout, /^ {2}- link:flannel\.1 .*\n(.*\n)*Destroy: \d+ done, converged$/m);
    assert.equal(await store.valueOf(subnet ?? ''), undefined);
  });
}

test('destroy on a host that has lost its address removes what it has, and says what stays', async () => {
  const world = new CommandWorld();
  await world.run('apply');
  world.host.kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
  const { exitCode, stdout, stderr } = await world.run('destroy', '--lease');
  assert.equal(exitCode, EXIT.failed);
  assert.match(stdout, /^ {2}- link:flannel0 /m);
  assert.match(stderr, /^The lease was not given back: this host is known by no public address: .*; run /);
  assert.ok(await world.host.store.valueOf('subnets/4.0.100.0-24'));
});

test('destroy that cannot remove something ends with 2, naming it', async () => {
  const world = new CommandWorld();
  await world.run('apply');
  world.host.kernel.refuse = (operation) => (operation.startsWith('delete link') ? 'EBUSY' : undefined);
  const { exitCode, stdout } = await world.run('destroy');
  assert.equal(exitCode, EXIT.failed);
  assert.match(stdout, /^ {2}- link:flannel0 .*: Cannot delete link flannel0/m);
});

test('diff tells programs that know Terraform what they expect', async () => {
  const world = new CommandWorld();
  assert.equal((await world.run('diff', '--detailed-exitcode')).exitCode, 2);
  await world.run('apply');
  assert.equal((await world.run('diff', '--detailed-exitcode')).exitCode, 0);
  world.host.store.goDown();
  const { exitCode, stderr } = await world.run('diff', '--detailed-exitcode');
  assert.equal(exitCode, 1);
  assert.match(stderr, /connection refused/);
});
