import assert from 'node:assert/strict';
import test from 'node:test';
import type { Log } from '../../../../src/ports.js';
import { type Change, ChangeLog, MOST_LINES_PER_MINUTE } from '../../../../src/runtime/log/change-log.js';
import { FakeClock } from '../../../fakes/fake-clock.js';

function scene() {
  const clock = new FakeClock();
  const said: string[] = [];
  const say = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  return { clock, said, changes: new ChangeLog('peer', log, clock) };
}

const CHANGE: Change = { verb: 'update', key: 'peer:4.0.1.0/24', reason: 'at 192.0.2.1, want 192.0.2.2' };

test('each change is a line', () => {
  const { changes, said } = scene();
  changes.tell([CHANGE]);
  assert.deepEqual(said, [
    'changed {"kind":"peer","verb":"update","key":"peer:4.0.1.0/24","reason":"at 192.0.2.1, want 192.0.2.2"}',
  ]);
});

test('many changes of one round are a line for each verb', () => {
  const { changes, said } = scene();
  changes.tell(Array.from({ length: 50 }, (_, index) => ({ ...CHANGE, key: `peer:${index}` as const })));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /"count":50,"keys":\["peer:0",/);
});

test('what does not end is told thirty times a minute, and then counted', async () => {
  const { changes, said, clock } = scene();
  for (let tenth = 0; tenth < 600; tenth++) {
    changes.tell([CHANGE]);
    await clock.advance(100);
  }
  assert.equal(said.length, MOST_LINES_PER_MINUTE);
  changes.tell([]);
  assert.match(said.at(-1) ?? '', /^changed, too often to tell each .*"count":570\}$/);
  changes.tell([]);
  assert.equal(said.length, MOST_LINES_PER_MINUTE + 1);
});
