import assert from 'node:assert/strict';
import test from 'node:test';
import type { Action, ActionResult, Plan, ResourceKey, Verb } from '../../../src/model/plan.js';
import { type ObjectStatus, objectStatuses, presentKeys } from '../../../src/model/status.js';

const KEY: ResourceKey = 'route:4.0.0.0/16';

function action(verb: Verb, key = KEY): Action {
  return { verb, key, reason: 'via none, want eth0', requires: ['link:a', 'link:b'], interrupts: false };
}

function remaining(...actions: readonly Action[]): Plan {
  return { actions, foreign: [] };
}

const NOTHING = remaining();
const FOREIGN: Plan = { actions: [], foreign: [{ key: KEY, reason: 'not ours: dev eth0', blocks: true }] };
const BESIDE: Plan = {
  actions: [],
  foreign: [{ key: 'route:5.0.0.0/8', reason: 'overlaps', blocks: false }],
};

const CASES: readonly {
  readonly name: string;
  readonly wanted?: readonly ResourceKey[];
  readonly remaining: Plan;
  readonly results?: readonly ActionResult[];
  readonly want: readonly ObjectStatus[];
}[] = [
  {
    name: 'nothing left to do is in sync',
    remaining: NOTHING,
    want: [{ key: KEY, state: 'in-sync', reason: '' }],
  },
  {
    name: 'in sync is what the second look says, whatever became of the action',
    remaining: NOTHING,
    results: [{ key: KEY, outcome: 'failed', error: new Error('exists') }],
    want: [{ key: KEY, state: 'in-sync', reason: '' }],
  },
  {
    name: 'an action left is pending, with its reason',
    remaining: remaining(action('update')),
    want: [{ key: KEY, state: 'pending', reason: 'update: via none, want eth0' }],
  },
  {
    name: 'one that was done and is left again is pending',
    remaining: remaining(action('update')),
    results: [{ key: KEY, outcome: 'done' }],
    want: [{ key: KEY, state: 'pending', reason: 'update: via none, want eth0' }],
  },
  {
    name: 'one that somebody undoes again and again is contested',
    remaining: remaining(action('update')),
    results: [{ key: KEY, outcome: 'held' }],
    want: [
      {
        key: KEY,
        state: 'contested',
        reason:
          'update: via none, want eth0, again and again: somebody undoes it (systemd-networkd does with ManageForeignRoutes=yes); `apply` tries at once',
      },
    ],
  },
  {
    name: 'of a contested lease no program is suspected that fights about routes',
    wanted: ['lease:4.0.7.0-24'],
    remaining: remaining(action('create', 'lease:4.0.7.0-24')),
    results: [{ key: 'lease:4.0.7.0-24', outcome: 'held' }],
    want: [
      {
        key: 'lease:4.0.7.0-24',
        state: 'contested',
        reason: 'create: via none, want eth0, again and again: somebody undoes it; `apply` tries at once',
      },
    ],
  },
  {
    name: 'one that failed says with what',
    remaining: remaining(action('create')),
    results: [{ key: KEY, outcome: 'failed', error: new Error('Cannot add route: EPERM') }],
    want: [{ key: KEY, state: 'failed', reason: 'create: Cannot add route: EPERM' }],
  },
  {
    name: 'or that nobody knows',
    remaining: remaining(action('create')),
    results: [{ key: KEY, outcome: 'failed' }],
    want: [{ key: KEY, state: 'failed', reason: 'create: no reason given' }],
  },
  {
    name: 'one that waits says for what',
    remaining: remaining(action('create')),
    results: [{ key: KEY, outcome: 'waiting' }],
    want: [{ key: KEY, state: 'waiting', reason: 'create needs link:a, link:b' }],
  },
  {
    name: 'a delete that was held back is pending, beside what is wanted',
    remaining: remaining(action('delete', 'route:old')),
    results: [{ key: 'route:old', outcome: 'skipped' }],
    want: [
      { key: KEY, state: 'in-sync', reason: '' },
      { key: 'route:old', state: 'pending', reason: 'delete: via none, want eth0' },
    ],
  },
  {
    name: 'something foreign in its place is a conflict',
    remaining: FOREIGN,
    want: [{ key: KEY, state: 'conflict', reason: 'not ours: dev eth0' }],
  },
  {
    name: 'something foreign beside it is shown, and it stays in sync',
    remaining: BESIDE,
    want: [
      { key: KEY, state: 'in-sync', reason: '' },
      { key: 'route:5.0.0.0/8', state: 'foreign', reason: 'overlaps' },
    ],
  },
  { name: 'nothing wanted and nothing found is nothing', wanted: [], remaining: NOTHING, want: [] },
];

for (const { name, wanted = [KEY], remaining: plan, results = [], want } of CASES) {
  test(name, () => assert.deepEqual(objectStatuses(wanted, plan, results), want));
}

for (const { name, plan, want } of [
  { name: 'what is as wanted', plan: NOTHING, want: [KEY] },
  { name: 'what is there and will be changed', plan: remaining(action('update')), want: [KEY] },
  { name: 'not what is still to be made', plan: remaining(action('create')), want: [] },
  { name: 'not what something foreign has the place of', plan: FOREIGN, want: [] },
  { name: 'what has something foreign beside it', plan: BESIDE, want: [KEY] },
  {
    name: 'what has something foreign in it that is not in the way',
    plan: { actions: [], foreign: [{ key: KEY, reason: 'set by hand', blocks: false }] },
    want: [KEY],
  },
  { name: 'nothing that is not wanted', plan: remaining(action('delete', 'route:old')), want: [KEY] },
]) {
  test(`others may count on ${name}`, () => assert.deepEqual(presentKeys([KEY], plan), want));
}
