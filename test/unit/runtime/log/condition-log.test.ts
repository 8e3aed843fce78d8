import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Condition } from '../../../../src/model/conditions.js';
import type { Log } from '../../../../src/ports.js';
import { ConditionLog } from '../../../../src/runtime/log/condition-log.js';
import { FakeClock } from '../../../fakes/fake-clock.js';

test('a condition is dated and told when it begins, and told when it is over', async () => {
  const clock = new FakeClock();
  const said: string[] = [];
  const say = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  let now: readonly Condition[] = [];
  const conditions = new ConditionLog({ conditions: () => now, clock, log });
  assert.deepEqual(conditions.look(), []);

  const since = clock.now();
  now = [{ type: 'EtcdUnavailable', message: 'refused' }];
  assert.deepEqual(conditions.look(), [{ type: 'EtcdUnavailable', message: 'refused', since }]);
  await clock.advance(1_000);
  now = [{ type: 'EtcdUnavailable', message: 'no answer' }];
  assert.deepEqual(conditions.look(), [{ type: 'EtcdUnavailable', message: 'no answer', since }]);
  now = [];
  assert.deepEqual(conditions.look(), []);
  assert.deepEqual(said, [
    'condition {"condition":"EtcdUnavailable","detail":"refused"}',
    'condition over {"condition":"EtcdUnavailable","forMs":1000}',
  ]);
});
