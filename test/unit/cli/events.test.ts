import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import type { Event } from '../../../src/model/event.js';
import { logLine } from '../../../src/model/log-line.js';
import { CommandWorld } from './command-world.js';

const CHANGED: Event = {
  number: 1,
  at: '2026-11-22T16:00:00.000Z',
  level: 'info',
  message: 'changed',
  fields: { kind: 'route', verb: 'create', key: 'route:4.0.0.0/16', reason: 'not there', times: 3 },
};
const READY: Event = { ...CHANGED, number: 2, message: 'ready', fields: {} };

test('an event is one line, whatever others have put into it', () => {
  assert.equal(
    logLine(CHANGED),
    '2026-11-22T16:00:00.000Z  info   changed  kind=route  verb=create  key=route:4.0.0.0/16  reason="not there"  times=3\n',
  );
  const hostile = logLine({ ...READY, message: 'a\u001b[2Jb\nc' });
  assert.ok(!hostile.includes('\u001b') && hostile.indexOf('\n') === hostile.length - 1, hostile);
});

test('without -f it tells what there is and ends', async () => {
  const world = new CommandWorld();
  world.answer = async () => ({ status: 200, body: JSON.stringify([CHANGED, READY]) });
  const { exitCode, stdout } = await world.run('events', '-o', 'json');
  assert.equal(exitCode, EXIT.done);
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [CHANGED, READY],
  );
  assert.deepEqual(
    world.asked.map(({ path }) => path),
    ['/events?after=0&waitMs=0'],
  );
});

test('with -f it goes on from what it has told, until it is interrupted', async () => {
  const world = new CommandWorld();
  const answers = [[CHANGED], [], [READY]];
  world.answer = async () => {
    const told = answers.shift();
    if (told !== undefined) return { status: 200, body: JSON.stringify(told) };
    world.stop.abort();
    throw world.stop.signal.reason;
  };
  const { exitCode, stdout } = await world.run('events', '-f');
  assert.equal(exitCode, EXIT.interrupted);
  assert.deepEqual(stdout, logLine(CHANGED) + logLine(READY));
  assert.deepEqual(
    world.asked.map(({ path }) => path),
    [
      '/events?after=0&waitMs=0',
      '/events?after=1&waitMs=20000',
      '/events?after=1&waitMs=20000',
      '/events?after=2&waitMs=20000',
    ],
  );
});

test('without a daemon there is nothing to tell', async () => {
  const { exitCode, stderr } = await new CommandWorld().run('events');
  assert.equal(exitCode, EXIT.notReady);
  assert.match(stderr, /^No daemon answers at \/run\/flannelette\/flannel0\.sock/);
});
