/** `try`, `confirm` and `rollback`: what nobody confirms is as it was before, and what is confirmed stays. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../src/cli/exit-codes.js';
import { beforeTryPath } from '../../src/cli/trial-file.js';
import { PrivilegeError } from '../../src/ports.js';
import { CONFIG, CONFIG_PATH, CommandWorld } from './cli/command-world.js';

const OTHER_MTU = CONFIG.replace('subnetLength: 24', 'subnetLength: 24, mtu: 1400');
const CANDIDATE = '/etc/new.yaml';
const BEFORE_TRY = beforeTryPath(CONFIG_PATH);
const KEEPER = /^start keep-trial -f \/etc\/flannelette\.yaml --timeout 10000ms/;

/** Applied already, and with a changed file beside. */
async function worldWithCandidate(): Promise<CommandWorld> {
  const world = new CommandWorld();
  assert.equal((await world.run('apply')).exitCode, EXIT.done);
  world.host.files.edit(CANDIDATE, OTHER_MTU);
  return world;
}

const isOther = async ({ host }: CommandWorld) =>
  (await host.lines()).some((line) => line.startsWith('link flannel0 tun mtu 1400 '));
const content = async ({ host }: CommandWorld, path: string) => (await host.files.read(path))?.content;

test('what nobody confirms is taken back when the time is up, and not before', async () => {
  const world = await worldWithCandidate();
  const before = await world.host.lines();
  const began = world.clock.boottimeMs();
  const { exitCode, stdout } = await world.run('try', '--timeout', '10s', CANDIDATE);
  assert.equal(exitCode, EXIT.done);
  assert.match(stdout, /^On trial until .*: `flannelette confirm` keeps it/);
  assert.match(world.log.find((line) => line.startsWith('start')) ?? '', KEEPER);
  assert.ok(await isOther(world));
  assert.deepEqual(
    [await content(world, CONFIG_PATH), await content(world, BEFORE_TRY)],
    [OTHER_MTU, CONFIG],
  );
  await world.clock.advance(began + 9_900 - world.clock.boottimeMs());
  assert.ok(await isOther(world), 'too early');
  await world.clock.advance(1_100);
  assert.deepEqual(await world.host.lines(), before);
  assert.equal((await world.run('confirm')).exitCode, EXIT.failed, 'too late');
});

test('what is confirmed stays', async () => {
  const world = await worldWithCandidate();
  await world.run('try', '--timeout', '10s', CANDIDATE);
  const { exitCode, stdout } = await world.run('confirm');
  assert.deepEqual([exitCode, stdout], [EXIT.done, `Confirmed: ${CONFIG_PATH} stays in force\n`]);
  await world.clock.advance(20_000);
  assert.ok(await isOther(world));
  assert.deepEqual(
    [await content(world, CONFIG_PATH), await content(world, BEFORE_TRY)],
    [OTHER_MTU, undefined],
  );
});

test('rollback takes it back at once', async () => {
  const world = await worldWithCandidate();
  const before = await world.host.lines();
  await world.run('try', '--timeout', '10h', CANDIDATE);
  const { exitCode, stdout } = await world.run('rollback');
  assert.deepEqual([exitCode, stdout], [EXIT.done, 'Reverted: everything is as it was before (as told)\n']);
  assert.deepEqual(await world.host.lines(), before);
  assert.ok(world.clock.boottimeMs() < 60_000);
});

test('the file itself can be on trial; then it stays what it is', async () => {
  const world = await worldWithCandidate();
  world.host.files.edit(CONFIG_PATH, OTHER_MTU);
  const before = await world.host.lines();
  await world.run('try', '--timeout', '10s');
  assert.ok(await isOther(world));
  await world.clock.advance(11_000);
  assert.deepEqual(await world.host.lines(), before);
});

test('a keeper that is stopped takes it back', async () => {
  const world = await worldWithCandidate();
  const before = await world.host.lines();
  await world.run('try', '--timeout', '10h', CANDIDATE);
  world.stop.abort(new Error('Received SIGTERM'));
  await world.clock.advance(100);
  assert.deepEqual(await world.host.lines(), before);
});

test('what cannot be applied is not on trial, and all is as it was', async () => {
  const world = await worldWithCandidate();
  const before = await world.host.lines();
  world.host.kernel.refuse = (operation) => (operation.includes('mtu 1400') ? 'EINVAL' : undefined);
  const { exitCode, stderr } = await world.run('try', CANDIDATE);
  assert.equal(exitCode, EXIT.rolledBack);
  assert.match(
    stderr,
    /^Not everything could be done: link:flannel0: .*EINVAL.*\nEverything is as it was before\n$/,
  );
  assert.equal(stderr.match(/as it was before/g)?.length, 1);
  assert.deepEqual(await world.host.lines(), before);
});

test('one trial at a time', async () => {
  const world = await worldWithCandidate();
  await world.run('try', CANDIDATE);
  const { exitCode, stderr } = await world.run('try', CANDIDATE);
  assert.equal(exitCode, EXIT.held);
  assert.match(
    stderr,
    /^Cannot try: \/etc\/flannelette\.yaml is on trial until .*; confirm it, or roll it back$/m,
  );
});

test('the next trial begins once the last one has been told about', async () => {
  const world = await worldWithCandidate();
  await world.run('try', '--timeout', '10s', CANDIDATE);
  await world.clock.advance(10_050);
  const { exitCode, stdout } = await world.run('try', '--timeout', '10h', CANDIDATE);
  assert.equal(exitCode, EXIT.done);
  assert.match(stdout, /^On trial until 2023-11-15T08:/);
  assert.ok(await isOther(world));
});

for (const verb of ['confirm', 'rollback']) {
  test(`${verb} without a trial says so`, async () => {
    const { exitCode, stderr } = await new CommandWorld().run(verb);
    assert.equal(exitCode, EXIT.failed);
    assert.match(
      stderr,
      /^Cannot (confirm|roll back): nothing is on trial for \/etc\/flannelette\.yaml; `flannelette try` puts /,
    );
  });
}

for (const end of ['confirm', 'rollback', 'time is up']) {
  test(`while it lasts there is a record of it for others: ${end}`, async () => {
    const world = await worldWithCandidate();
    world.environment = { SUDO_USER: 'alice', USER: 'root', SSH_CONNECTION: '10.8.0.7 51234 10.8.0.1 22' };
    await world.run('try', '--timeout', '10s', CANDIDATE);
    const told = await world.run('status');
    assert.equal(told.exitCode, EXIT.notReady, 'there is no daemon');
    assert.match(
      told.stdout,
      /^\/etc\/flannelette\.yaml is on trial until \S+, begun by alice from 10\.8\.0\.7 at /,
    );
    if (end === 'time is up') await world.clock.advance(10_500);
    else await world.run(end);
    assert.equal((await world.run('status')).stdout, '');
    assert.equal(await content(world, '/run/flannelette/flannel0.trial.json'), undefined);
  });
}

const DIRECTORY = '/etc/conf.d';

/** A directory of two files that was applied, and another one with a changed file, a new one, and one fewer. */
async function worldWithDirectories(): Promise<CommandWorld> {
  const world = new CommandWorld();
  const { files } = world.host;
  files.edit(`${DIRECTORY}/10-fleet.yaml`, CONFIG);
  files.edit(`${DIRECTORY}/50-host.yaml`, 'host: { interface: eth0 }\n');
  files.edit(`${DIRECTORY}/README`, 'for people');
  files.chmod(`${DIRECTORY}/10-fleet.yaml`, 0o600);
  files.edit('/etc/next.d/10-fleet.yaml', OTHER_MTU);
  files.edit('/etc/next.d/90-more.yaml', 'host: { interface: eth0 }\n');
  assert.equal((await world.run('apply', '-f', DIRECTORY)).exitCode, EXIT.done);
  return world;
}

const inDirectory = async ({ host }: CommandWorld) => ({
  names: await host.files.list(DIRECTORY),
  fleet: await host.files.read(`${DIRECTORY}/10-fleet.yaml`),
});

for (const end of ['nobody confirms', 'rollback'] as const) {
  test(`a directory on trial is back as a whole: ${end}`, async () => {
    const world = await worldWithDirectories();
    const [before, files] = [await world.host.lines(), world.host.files.lines()];
    const tried = await world.run('try', '-f', DIRECTORY, '--timeout', '10s', '/etc/next.d');
    assert.equal(tried.exitCode, EXIT.done, tried.stderr);
    assert.ok(await isOther(world));
    assert.deepEqual(await inDirectory(world), {
      names: ['10-fleet.yaml', '90-more.yaml', 'README'],
      fleet: { content: OTHER_MTU, mode: 0o600 },
    });
    if (end === 'rollback') await world.run('rollback', '-f', DIRECTORY);
    else await world.clock.advance(11_000);
    assert.deepEqual(await world.host.lines(), before);
    assert.deepEqual(world.host.files.lines(), files);
  });
}

test('a directory on trial that is confirmed stays, with nothing beside it', async () => {
  const world = await worldWithDirectories();
  await world.run('try', '-f', DIRECTORY, '--timeout', '10s', '/etc/next.d');
  assert.equal((await world.run('confirm', '-f', DIRECTORY)).exitCode, EXIT.done);
  await world.clock.advance(20_000);
  assert.ok(await isOther(world));
  assert.deepEqual((await inDirectory(world)).names, ['10-fleet.yaml', '90-more.yaml', 'README']);
  assert.deepEqual(
    world.host.files.lines().filter((line) => /before-try|on-trial/.test(line)),
    [],
  );
});

test('a directory itself can be on trial where no daemon follows it', async () => {
  const world = await worldWithDirectories();
  world.host.files.edit(`${DIRECTORY}/10-fleet.yaml`, OTHER_MTU);
  const before = await world.host.lines();
  assert.equal((await world.run('try', '-f', DIRECTORY, '--timeout', '10s')).exitCode, EXIT.done);
  assert.ok(await isOther(world));
  await world.clock.advance(11_000);
  assert.deepEqual(await world.host.lines(), before);
});

test('a file does not take the place of a directory, nor the other way round', async () => {
  const world = await worldWithDirectories();
  const files = world.host.files.lines();
  for (const [of, candidate] of [
    [DIRECTORY, CONFIG_PATH],
    [CONFIG_PATH, DIRECTORY],
  ] as const) {
    const { exitCode, stderr } = await world.run('try', '-f', of, candidate);
    assert.equal(exitCode, EXIT.rolledBack);
    assert.match(
      stderr,
      /^Cannot try \S+: it is a (file|directory), and \S+ is a (directory|file); both must be the same$/m,
    );
    assert.deepEqual(world.host.files.lines(), files);
    await world.clock.advance(5_000);
  }
});

for (const left of ['both', 'only the former one'] as const) {
  test(`a daemon that starts puts back a directory whose keeper is gone: ${left} is there`, async () => {
    const world = await worldWithDirectories();
    const files = world.host.files.lines();
    await world.host.files.move(DIRECTORY, beforeTryPath(DIRECTORY));
    if (left === 'both') world.host.files.edit(`${DIRECTORY}/10-fleet.yaml`, OTHER_MTU);
    const { stderr } = await world.run('run', '-f', DIRECTORY);
    assert.match(stderr, /^Put back \/etc\/conf\.d: what was on trial there was never confirmed$/m);
    assert.deepEqual(world.host.files.lines(), files);
  });
}

/** As after a reboot: the file is there, and nobody who keeps the trial. */
async function abandoned(): Promise<CommandWorld> {
  const world = new CommandWorld(OTHER_MTU);
  await world.host.files.write(BEFORE_TRY, CONFIG, 0o600);
  return world;
}

test('a daemon that starts puts back a file whose keeper is gone', async () => {
  const world = await abandoned();
  const { stderr } = await world.run('run');
  assert.match(stderr, /^Put back \/etc\/flannelette\.yaml: what was on trial there was never confirmed$/m);
  assert.deepEqual(await world.host.files.read(CONFIG_PATH), { content: CONFIG, mode: 0o600 });
  assert.equal(await content(world, BEFORE_TRY), undefined);
});

for (const [how, keeper] of [
  ['is there', async () => ({ status: 200, body: '{"phase":"on-trial"}' })],
  [
    'answers root alone',
    () => Promise.reject(new PrivilegeError('permission denied', 'group of the socket')),
  ],
  ['is stopped', () => new Promise<never>(() => {})],
] as const) {
  test(`a daemon that starts leaves a file on trial whose keeper ${how}`, async () => {
    const world = await abandoned();
    world.keeper = keeper;
    assert.equal((await world.run('run')).exitCode, EXIT.done);
    assert.deepEqual(
      [await content(world, CONFIG_PATH), await content(world, BEFORE_TRY)],
      [OTHER_MTU, CONFIG],
    );
    assert.ok(world.log.includes(`run ${CONFIG_PATH}`));
  });
}

test('what was never settled is in the way of another trial, and not lost by it', async () => {
  const world = await abandoned();
  world.host.files.edit(CANDIDATE, CONFIG);
  const { exitCode, stderr } = await world.run('try', CANDIDATE);
  assert.deepEqual(
    [exitCode, stderr],
    [
      EXIT.held,
      `Cannot try: what was on trial in ${CONFIG_PATH} was never settled, and its keeper is gone; confirm it, or roll it back\n`,
    ],
  );
  assert.deepEqual(
    [await content(world, CONFIG_PATH), await content(world, BEFORE_TRY)],
    [OTHER_MTU, CONFIG],
  );
});

test('so does rollback, and confirm keeps it', async () => {
  const [undone, kept] = [await abandoned(), await abandoned()];
  assert.equal((await undone.run('rollback')).exitCode, EXIT.done);
  assert.equal(await content(undone, CONFIG_PATH), CONFIG);
  assert.equal((await kept.run('confirm')).exitCode, EXIT.done);
  assert.equal(await content(kept, CONFIG_PATH), OTHER_MTU);
});

const CONVERGED = { status: 200, body: '{"outcome":"converged","message":"","actions":[]}' };

test('where a daemon runs it is given the file, and the former one when the time is up', async () => {
  const world = await worldWithCandidate();
  const seen: (string | undefined)[] = [];
  world.answer = async ({ path }) => {
    if (path.startsWith('/apply')) seen.push(await content(world, CONFIG_PATH));
    return CONVERGED;
  };
  assert.equal((await world.run('try', '--timeout', '10s', CANDIDATE)).exitCode, EXIT.done);
  assert.deepEqual(seen, [OTHER_MTU]);
  await world.clock.advance(11_000);
  assert.deepEqual(seen, [OTHER_MTU, CONFIG]);
  assert.equal(await content(world, BEFORE_TRY), undefined);
});

test('a keeper that is stopped gives the daemon the former file too', async () => {
  const world = await worldWithCandidate();
  const seen: (string | undefined)[] = [];
  world.answer = async ({ path }) => {
    if (path.startsWith('/apply')) seen.push(await content(world, CONFIG_PATH));
    return CONVERGED;
  };
  await world.run('try', '--timeout', '10h', CANDIDATE);
  world.stop.abort(new Error('Received SIGTERM'));
  await world.clock.advance(100);
  assert.deepEqual(seen, [OTHER_MTU, CONFIG]);
});

test('what is set is on trial too, but a daemon does not take it', async () => {
  const world = await worldWithCandidate();
  const set = ['--set', 'network.mtu=1300'];
  assert.equal((await world.run('try', '--timeout', '10s', ...set)).exitCode, EXIT.done);
  assert.ok((await world.host.lines()).some((line) => line.startsWith('link flannel0 tun mtu 1300 ')));
  await world.clock.advance(15_000);
  world.answer = async () => CONVERGED;
  const { exitCode, stderr } = await world.run('try', ...set, CANDIDATE);
  assert.equal(exitCode, EXIT.held);
  assert.match(stderr, /^Cannot try with --set while the daemon runs: stop it, and try again$/m);
});

test('a daemon that has died meanwhile is done without', async () => {
  const world = await worldWithCandidate();
  const before = await world.host.lines();
  world.answer = async () => CONVERGED;
  await world.run('try', '--timeout', '10s', CANDIDATE);
  world.answer = async () => undefined;
  // What the daemon has done of it.
  await world.host.kernel.netlink.request([{ op: 'set-link', name: 'flannel0', mtu: 1400 }]);
  await world.clock.advance(11_000);
  assert.deepEqual(await world.host.lines(), before);
});

test("the daemon's own file cannot be on trial: it has been followed already", async () => {
  const world = await worldWithCandidate();
  world.answer = async () => CONVERGED;
  const { exitCode, stderr } = await world.run('try');
  assert.equal(exitCode, EXIT.usage);
  assert.match(stderr, /^Cannot try \/etc\/flannelette\.yaml: the daemon follows it already\./);
});
