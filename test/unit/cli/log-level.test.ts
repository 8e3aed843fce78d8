import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { CommandWorld } from './command-world.js';

const LEVELS = { route: 'debug', store: 'info' };

function answering(): CommandWorld {
  const world = new CommandWorld();
  world.answer = async () => ({ status: 200, body: JSON.stringify(LEVELS) });
  return world;
}

test('log-level shows all loops, or the one that it changes', async () => {
  const world = answering();
  assert.equal((await world.run('log-level')).stdout, 'LOOP   LEVEL\nroute  debug\nstore  info\n');
  assert.equal((await world.run('log-level', 'route', 'debug')).stdout, 'LOOP   LEVEL\nroute  debug\n');
  assert.deepEqual(
    world.asked.map(({ method, path }) => `${method} ${path}`),
    ['GET /log-level', 'POST /log-level?loop=route&level=debug'],
  );
});

test('what the daemon refuses is said; without one, and without a level, nothing is changed', async () => {
  const world = new CommandWorld();
  assert.deepEqual((await world.run('log-level', 'route', 'debug')).exitCode, EXIT.notReady);
  assert.deepEqual((await world.run('log-level', 'route')).exitCode, EXIT.usage);
  world.answer = async () => ({ status: 400, body: 'there is no loop "rout"' });
  const { exitCode, stderr } = await world.run('log-level', 'rout', 'debug');
  assert.deepEqual([exitCode, stderr], [EXIT.usage, 'The daemon answered: there is no loop "rout"\n']);
});

test('values from the command line come over the file', async () => {
  const world = new CommandWorld();
  const { stdout } = await world.run('diff', '--set', 'network.mtu=1300', '--set', 'network.ipMasq=true');
  assert.match(stdout, /mtu 1300/);
  const wrong = await world.run('diff', '--set', 'network.mtu=9');
  assert.equal(wrong.exitCode, EXIT.invalidConfig);
  assert.match(wrong.stderr, /^--set:1:13: network\.mtu: 9 is not allowed/);
});

test('apply --set is refused where a daemon runs with settings of its own', async () => {
  const { exitCode, stderr } = await answering().run('apply', '--set', 'network.mtu=1300');
  assert.equal(exitCode, EXIT.held);
  assert.match(stderr, /^Cannot apply with --set while the daemon runs/);
});
