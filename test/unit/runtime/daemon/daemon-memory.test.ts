/** What a daemon remembers for whoever asks: bounded, however long it runs. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { PlannedAction } from '../../../../src/model/objects.js';
import type { Overall } from '../../../../src/model/overall.js';
import type { Log } from '../../../../src/ports.js';
import { EventLog } from '../../../../src/runtime/log/event-log.js';
import { LastChanges } from '../../../../src/runtime/log/last-changes.js';
import { OverallLog } from '../../../../src/runtime/log/overall-log.js';
import { FakeClock } from '../../../fakes/fake-clock.js';

const SILENCE: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test('events: the last thousand, under their own numbers, and handed on all the same', () => {
  const handedOn: string[] = [];
  const log = new EventLog({ ...SILENCE, info: (_, message) => handedOn.push(message) }, new FakeClock());
  log.debug({}, 'not kept');
  for (let number = 1; number <= 1_500; number++) log.info({ number }, 'changed');
  const kept = log.after(0);
  assert.deepEqual([kept.length, kept[0]?.number, kept.at(-1)?.number], [1_000, 501, 1_500]);
  assert.equal(handedOn.length, 1_500);
  assert.deepEqual(
    log.after(1_499).map(({ fields }) => fields),
    [{ number: 1_500 }],
  );
});

test('events: no secret is kept, whether or not whoever is handed it keeps one', () => {
  const log = new EventLog(SILENCE, new FakeClock());
  const error = 'Cannot use http://root:hunter2@10.8.64.10:2379: refused';
  log.info({ password: 'hunter2' }, 'changed');
  log.warn({ error }, 'store');
  log.error({ command: ['curl', '--token=hunter2'] }, 'command');
  assert.equal(log.after(0).length, 3);
  assert.doesNotMatch(JSON.stringify(log.after(0)), /hunter2/);
  assert.equal(log.after(1)[0]?.fields.error, 'Cannot use http://[redacted]@10.8.64.10:2379: refused');
});

test('changes: the last one of each object, the oldest of very many forgotten', () => {
  const changes = new LastChanges();
  const action = (key: PlannedAction['key'], reason: string): PlannedAction => ({
    ...{ kind: 'route', verb: 'create', key, reason, requires: [], interrupts: false },
  });
  const note = (key: PlannedAction['key'], reason: string, at: number) =>
    changes.note(action(key, reason), { key, outcome: 'done' }, at);
  note('route:a', 'first', 1);
  note('route:b', 'only', 2);
  note('route:a', 'second', 3);
  assert.deepEqual(changes.of('route:a'), { at: 3, verb: 'create', reason: 'second', outcome: 'done' });
  for (let number = 0; number < 19_999; number++) note(`route:${number}`, 'new', 4);
  assert.equal(changes.of('route:b'), undefined);
  assert.ok(changes.of('route:a'));
});

test('standing: since it is so, whatever the reason for it is meanwhile', async () => {
  const clock = new FakeClock();
  let overall: Overall = {
    sync: { state: 'drifted', reason: 'a' },
    health: { state: 'progressing', reason: 'a' },
  };
  const log = new OverallLog(() => overall, clock);
  const since = log.look().sync.since;
  await clock.advance(1_000);
  overall = { sync: { state: 'drifted', reason: 'b' }, health: { state: 'degraded', reason: 'b' } };
  const now = log.look();
  assert.deepEqual([now.sync.since, now.sync.reason], [since, 'b']);
  assert.equal(now.health.since, since + 1_000);
});
