import assert from 'node:assert/strict';
import test from 'node:test';
import { type Action, inverse, isEmpty } from '../../../src/model/plan.js';

const CREATE: Action<{ mtu: number }> = {
  verb: 'create',
  key: 'link:flannel0',
  reason: 'missing',
  after: { mtu: 1472 },
  requires: ['lease:4.0.100.0-24'],
  interrupts: false,
};

test('the inverse of a create deletes what it made, and the other way round', () => {
  assert.deepEqual(inverse(CREATE), {
    verb: 'delete',
    key: 'link:flannel0',
    reason: 'undo: missing',
    before: { mtu: 1472 },
    requires: ['lease:4.0.100.0-24'],
    interrupts: false,
  });
  const { verb, before, after } = inverse(inverse(CREATE));
  assert.deepEqual({ verb, before, after }, { verb: 'create', before: undefined, after: { mtu: 1472 } });
});

test('the inverse of an update brings back what was', () => {
  const { before, after } = inverse({ ...CREATE, verb: 'update', before: { mtu: 1500 } });
  assert.deepEqual([before, after], [{ mtu: 1472 }, { mtu: 1500 }]);
});

test('a plan is empty without actions, whatever foreign it has seen', () => {
  assert.equal(
    isEmpty({ actions: [], foreign: [{ key: 'link:eth0', reason: 'not ours', blocks: true }] }),
    true,
  );
  assert.equal(isEmpty({ actions: [CREATE], foreign: [] }), false);
});
