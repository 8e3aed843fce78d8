/** `diff --out` and `apply --plan`: the plan that was looked at is what is done, or nothing is. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../src/cli/exit-codes.js';
import { readPlan } from '../../src/config/plan-schema.js';
import { CONFIG, CONFIG_PATH, CommandWorld } from './cli/command-world.js';

const PLAN = '/root/plan.json';
const SAVE = ['diff', '-f', CONFIG_PATH, '--out', PLAN];
const APPLY = ['apply', '--plan', PLAN];

test('a saved plan is carried out, with the file that it was made from', async () => {
  const world = new CommandWorld();
  assert.equal((await world.run(...SAVE)).exitCode, EXIT.drift);
  const { exitCode, stdout, stderr } = await world.run(...APPLY);
  assert.equal(exitCode, EXIT.done, stderr);
  assert.match(stdout, /^Apply: 10 done, converged$/m);
  assert.equal((await world.run('diff')).exitCode, EXIT.done);
});

test('what has moved since is named, and nothing is done', async () => {
  const world = new CommandWorld();
  await world.run(...SAVE);
  world.host.kernel.setSysctl({ name: 'net.ipv4.ip_forward', value: '1' });
  world.host.files.edit(CONFIG_PATH, CONFIG.replace('subnetLength: 24', 'subnetLength: 24, mtu: 1400'));
  const writes = world.host.writes;
  const { exitCode, stdout, stderr } = await world.run(...APPLY);
  assert.deepEqual([exitCode, stdout, world.host.writes], [EXIT.stale, '', writes]);
  assert.match(stderr, /^Nothing was changed: the plan is out of date\. What has moved:$/m);
  assert.match(stderr, /^ {2}sysctl:net\.ipv4\.ip_forward: planned was update .*; now nothing to do/m);
  assert.match(stderr, /^ {2}link:flannel0: planned was create .*, to another state$/m);
  assert.deepEqual(world.log.slice(-2), ['close', 'release']);
});

test('a change of the file that changes no operation is none', async () => {
  const world = new CommandWorld();
  await world.run(...SAVE);
  world.host.files.edit(CONFIG_PATH, `# a remark\n${CONFIG}`);
  assert.equal((await world.run(...APPLY)).exitCode, EXIT.done);
});

test('what turns out to be wanted beyond the plan is not done', async () => {
  const world = new CommandWorld();
  await world.run(...SAVE);
  // Somebody takes a hand in it while it is carried out.
  let isDone = false;
  world.host.kernel.refuse = (operation) => {
    if (operation.startsWith('add address') && !isDone) {
      isDone = true;
      world.host.files.edit('/run/flannel/subnet.env', 'FLANNEL_MTU=1\n');
    }
    return undefined;
  };
  const { stderr, exitCode } = await world.run(...APPLY);
  assert.notEqual(exitCode, EXIT.done);
  assert.match(stderr, /file:\/run\/flannel\/subnet\.env: update is not in the plan/);
});

test('some kinds alone are planned, and done', async () => {
  const world = new CommandWorld();
  const { stdout } = await world.run(...SAVE, '--only', 'sysctls,files');
  assert.match(stdout, /^Plan: 2 to create, 2 to update,/m);
  const { exitCode, stderr } = await world.run('apply', '--only', 'sysctls');
  assert.equal(exitCode, EXIT.failed, 'the device of one of them is not there');
  assert.match(
    stderr,
    /accept_local: create needs .*link:flannel0|accept_local: update needs .*link:flannel0/,
  );
  assert.equal((await world.run('apply', '--only', 'network-config,leases,links')).exitCode, EXIT.done);
  assert.equal((await world.run('apply', '--only', 'sysctls')).exitCode, EXIT.done);
  const after = await world.run('diff');
  assert.match(after.stdout, /^Plan: 5 to create, 0 to update,/m);
});

for (const { what, argv, says } of [
  {
    what: 'a plan with what it was made with',
    argv: [...APPLY, '--adopt'],
    says: /'--plan <path>' cannot be used with option '--adopt'/,
  },
  {
    what: 'a plan that is not there',
    argv: APPLY,
    says: /^Cannot read \/root\/plan\.json: there is no such/,
  },
  {
    what: 'a kind that there is not',
    argv: ['diff', '--only', 'roots'],
    says: /Want some of network-config,/,
  },
]) {
  test(`${what} is wrong usage`, async () => {
    const { exitCode, stderr } = await new CommandWorld().run(...argv);
    assert.equal(exitCode, EXIT.usage);
    assert.match(stderr, says);
  });
}

for (const [text, says] of [
  ['{', /no plan that `diff --out` saved: not JSON/],
  ['{}', /no plan that `diff --out` saved: apiVersion/],
] as const) {
  test(`${text} is no saved plan`, async () => {
    const world = new CommandWorld();
    world.host.files.edit(PLAN, text);
    const { exitCode, stderr } = await world.run(...APPLY);
    assert.equal(exitCode, EXIT.usage);
    assert.match(stderr, says);
  });
}

test('a plan is applied with the settings that it was made with, which it does not bring along', async () => {
  const world = new CommandWorld();
  const SETTING = ['--set', 'network.mtu=1400'];
  await world.run(...SAVE, ...SETTING);
  const without = await world.run(...APPLY);
  assert.deepEqual(
    [without.exitCode, without.stderr],
    [
      EXIT.usage,
      'Cannot apply /root/plan.json: it was made with --set network.mtu=1400: give that again, and no other\n',
    ],
  );
  assert.equal((await world.run(...APPLY, ...SETTING)).exitCode, EXIT.done);
  await world.run(...SAVE);
  const beyond = await world.run(...APPLY, ...SETTING);
  assert.equal(beyond.exitCode, EXIT.usage);
  assert.match(beyond.stderr, /it was made without --set: leave that out$/m);
});

test('while a daemon runs, which follows its file, no plan is carried out beside it', async () => {
  const world = new CommandWorld();
  await world.run(...SAVE);
  world.answer = async () => ({ status: 200, body: '{}' });
  const { exitCode, stderr } = await world.run(...APPLY);
  assert.equal(exitCode, EXIT.held);
  assert.match(stderr, /^Cannot apply a saved plan while the daemon runs/);
});

test('a plan that somebody has added to is none', async () => {
  const world = new CommandWorld();
  const { stdout } = await world.run('diff', '-o', 'json');
  assert.ok('plan' in readPlan(stdout));
  assert.ok('error' in readPlan(stdout.replace('"kind": "Plan"', '"kind": "Plan", "shell": "true"')));
});
