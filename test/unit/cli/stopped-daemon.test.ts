/** A daemon whose process is stopped (SIGSTOP) takes every question and answers none. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { CommandWorld } from './command-world.js';

for (const argv of [
  ['events'],
  ['explain', 'link:flannel0'],
  ['apply', '--only', 'routes'],
  ['apply', '--adopt'],
]) {
  test(`${argv.join(' ')} gives a stopped daemon up, and says so`, async () => {
    const world = new CommandWorld();
    world.answer = () => new Promise(() => {});
    assert.deepEqual(await world.run(...argv), {
      exitCode: EXIT.failed,
      stdout: '',
      stderr: 'Whoever listens at /run/flannelette/flannel0.sock does not answer: is its process stopped?\n',
    });
    assert.ok(world.clock.boottimeMs() <= 5_050);
    assert.equal(world.host.writes, 0);
  });
}

test('events -f gives it up when it says nothing for longer than it was asked to wait', async () => {
  const world = new CommandWorld();
  let questions = 0;
  world.answer = () =>
    questions++ === 0 ? Promise.resolve({ status: 200, body: '[]' }) : new Promise(() => {});
  const { exitCode, stderr } = await world.run('events', '-f');
  assert.equal(exitCode, EXIT.failed);
  assert.match(stderr, /does not answer/);
  const waited = world.clock.boottimeMs();
  assert.ok(waited >= 25_000 && waited <= 25_050, `${waited} ms`);
});
