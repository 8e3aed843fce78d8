import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResourceKey } from '../../../../src/model/plan.js';
import { Presence } from '../../../../src/runtime/rounds/presence.js';

const ADDRESS: ResourceKey = 'address:flannel0 4.0.100.0/32';
const concerned = (kinds: ReadonlySet<string>) => [...kinds];

test('who asked for an object is named when it comes, and when it goes', () => {
  const presence = new Presence(() => false);
  assert.equal(presence.has(ADDRESS, 'route'), false);
  assert.deepEqual(concerned(presence.update('address', [ADDRESS])), ['route']);
  assert.deepEqual(concerned(presence.update('address', [ADDRESS])), []);
  assert.deepEqual(concerned(presence.update('address', [])), ['route']);
});

test('who has not asked again since it went is not named', () => {
  const presence = new Presence(() => false);
  presence.has(ADDRESS, 'route');
  presence.update('address', [ADDRESS]);
  presence.update('address', []);
  assert.deepEqual(concerned(presence.update('address', [ADDRESS])), []);
  assert.equal(presence.has(ADDRESS, 'peer'), true);
  assert.deepEqual(concerned(presence.update('address', [])), ['peer']);
});
