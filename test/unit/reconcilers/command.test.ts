import assert from 'node:assert/strict';
import test from 'node:test';
import type { Desired } from '../../../src/model/diff.js';
import { commandKey } from '../../../src/model/keys.js';
import type { CommandState } from '../../../src/model/objects.js';
import { type Commands, SystemError } from '../../../src/ports.js';
import { commandReconciler } from '../../../src/reconcilers/command.js';
import { FakeClock } from '../../fakes/fake-clock.js';
import { FakeFiles } from '../../fakes/fake-files.js';
import { oneRound } from './one-round.js';

const TIMEOUT_MS = 10_000;

function wanted(purpose: string): Desired<CommandState> {
  const line = (verb: string) => ({ argv: [verb, purpose], env: {}, input: '', timeoutMs: TIMEOUT_MS });
  return { key: commandKey(purpose), state: { purpose, run: line('add'), undo: line('remove') } };
}

/** Each command prints its words; what is said to hang is killed at its deadline. */
function world(...hanging: readonly string[]) {
  const clock = new FakeClock();
  const files = new FakeFiles();
  const log: string[] = [];
  const run: Commands['run'] = async (argv, deadlineMs) => {
    const words = argv.join(' ');
    log.push(words);
    if (!hanging.includes(words)) return { code: 0, stdout: words, stderr: '' };
    await clock.advance(deadlineMs);
    throw new SystemError('Cannot wait', 'ETIMEDOUT');
  };
  return { files, log, reconciler: commandReconciler({ run }, files, clock, '/run/record', async () => {}) };
}

test('a command that hangs ends the round in time, and comes after the others in the next', async () => {
  const { log, reconciler } = world('add a', 'add b');
  const all = ['a', 'b', 'c'].map(wanted);
  assert.deepEqual((await oneRound(reconciler, all)).outcomes, ['failed ETIMEDOUT', 'waiting', 'waiting']);
  assert.deepEqual((await oneRound(reconciler, all)).outcomes, ['failed ETIMEDOUT', 'waiting', 'waiting']);
  assert.deepEqual((await oneRound(reconciler, all)).outcomes, ['done', 'failed ETIMEDOUT', 'waiting']);
  assert.deepEqual((await oneRound(reconciler, all)).outcomes, ['failed ETIMEDOUT', 'waiting']);
  assert.deepEqual(log, ['add a', 'add b', 'add c', 'add a', 'add b']);
});

test('one that fails keeps nothing from being removed, and only what is published is kept', async () => {
  const { files, log, reconciler } = world('add b');
  await oneRound(reconciler, ['a', 'pre-startup'].map(wanted));
  const kept = JSON.parse(files.contentOf('/run/record') ?? '') as CommandState[];
  assert.deepEqual(
    kept.map(({ purpose, output }) => [purpose, output]),
    [
      ['a', undefined],
      ['pre-startup', 'add pre-startup'],
    ],
  );
  await oneRound(reconciler, ['b', 'pre-startup'].map(wanted));
  await oneRound(reconciler, ['b', 'pre-startup'].map(wanted));
  assert.ok(log.includes('remove a'));
});
