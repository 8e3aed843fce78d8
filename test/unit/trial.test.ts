/** `try`, `confirm` and `rollback`: what nobody confirms is as it was before, and what is confirmed stays. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../src/cli/exit-codes.js';
import { beforeTryPath } from '../../src/cli/trial-file.js';
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
    /^Not everything could be done: link:flannel0: .*EINVAL[\s\S]*Everything is as it was before$/m,
  );
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
    assert.deepEqual([exitCode, stderr], [EXIT.failed, `Nothing is on trial for ${CONFIG_PATH}\n`]);
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
