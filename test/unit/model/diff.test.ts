import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Desired, diff, type Kind, type Observed } from '../../../src/model/diff.js';
import { type Action, inverse, type Plan, type ResourceKey } from '../../../src/model/plan.js';

interface Thing {
  readonly value: number;
}

const kind: Kind<Thing> = {
  differences: (want, have) => (want.value === have.value ? [] : [`value ${have.value}, want ${want.value}`]),
};

/** As an object literal is: assert compares prototypes too. */
const PLAIN = { noNullPrototype: true } as const;

const keys: fc.Arbitrary<ResourceKey> = fc.constantFrom(
  'thing:a',
  'thing:b',
  'thing:c',
  'thing:d',
  'thing:e',
);
const things: fc.Arbitrary<Thing> = fc.record({ value: fc.integer({ min: 0, max: 2 }) }, PLAIN);
const desiredWorlds: fc.Arbitrary<Desired<Thing>[]> = fc.uniqueArray(
  fc.record({ key: keys, state: things }, PLAIN),
  {
    selector: ({ key }) => key,
  },
);
const observedWorlds: fc.Arbitrary<Observed<Thing>[]> = fc.uniqueArray(
  fc.record({ key: keys, state: things, ours: fc.boolean() }, PLAIN),
  { selector: ({ key }) => key },
);

/** A world that does what it is told and nothing else. */
function carriedOut(world: readonly Observed<Thing>[], actions: readonly Action<Thing>[]): Observed<Thing>[] {
  const objects = new Map(world.map((object) => [object.key, object]));
  for (const { verb, key, after } of actions) {
    const there = objects.get(key);
    assert.equal(there === undefined, verb === 'create', `${verb} of ${key} does not fit the world`);
    assert.ok(there?.ours ?? true, `${verb} touches ${key}, which is foreign`);
    if (after === undefined) objects.delete(key);
    else objects.set(key, { key, state: after, ours: true });
  }
  return [...objects.values()];
}

test('creates what is missing, changes what differs, deletes what is ours and not wanted', () => {
  const plan = diff(
    kind,
    [
      { key: 'thing:new', state: { value: 1 }, requires: ['link:flannel0'] },
      { key: 'thing:changed', state: { value: 1 } },
      { key: 'thing:same', state: { value: 1 } },
    ],
    [
      { key: 'thing:changed', state: { value: 2 }, ours: true },
      { key: 'thing:same', state: { value: 1 }, ours: true },
      { key: 'thing:old', state: { value: 3 }, ours: true },
      { key: 'thing:others', state: { value: 4 }, ours: false },
    ],
  );
  assert.deepEqual(plan, {
    actions: [
      {
        verb: 'create',
        key: 'thing:new',
        reason: 'missing',
        after: { value: 1 },
        requires: ['link:flannel0'],
        interrupts: false,
      },
      {
        verb: 'update',
        key: 'thing:changed',
        reason: 'value 2, want 1',
        before: { value: 2 },
        after: { value: 1 },
        requires: [],
        interrupts: false,
      },
      {
        verb: 'delete',
        key: 'thing:old',
        reason: 'not wanted any more',
        before: { value: 3 },
        requires: ['link:flannel0'],
        interrupts: false,
      },
    ],
    foreign: [],
  } satisfies Plan<Thing>);
});

test('reports a foreign object in the place of a wanted one and leaves it alone', () => {
  const plan = diff(
    kind,
    [{ key: 'thing:a', state: { value: 1 } }],
    [{ key: 'thing:a', state: { value: 2 }, ours: false }],
  );
  assert.deepEqual(plan, {
    actions: [],
    foreign: [{ key: 'thing:a', reason: 'not ours: value 2, want 1', blocks: true }],
  });
});

test('takes a foreign object that is as wanted for good', () => {
  const plan = diff(
    kind,
    [{ key: 'thing:a', state: { value: 1 } }],
    [{ key: 'thing:a', state: { value: 1 }, ours: false }],
  );
  assert.deepEqual(plan, { actions: [], foreign: [] });
});

test('a plan carried out leaves an empty plan', () => {
  fc.assert(
    fc.property(desiredWorlds, observedWorlds, (desired, observed) => {
      const { actions, foreign } = diff(kind, desired, observed);
      const second = diff(kind, desired, carriedOut(observed, actions));
      assert.deepEqual(second, { actions: [], foreign });
    }),
  );
});

test('no action touches a foreign object', () => {
  fc.assert(
    fc.property(desiredWorlds, observedWorlds, (desired, observed) => {
      const foreign = observed.filter(({ ours }) => !ours);
      const after = carriedOut(observed, diff(kind, desired, observed).actions);
      for (const object of foreign) assert.ok(after.includes(object));
    }),
  );
});

test('the order of the input does not matter', () => {
  fc.assert(
    fc.property(desiredWorlds, observedWorlds, (desired, observed) => {
      assert.deepEqual(
        diff(kind, desired.toReversed(), observed.toReversed()),
        diff(kind, desired, observed),
      );
    }),
  );
});

test('adds before it deletes', () => {
  fc.assert(
    fc.property(desiredWorlds, observedWorlds, (desired, observed) => {
      const verbs = diff(kind, desired, observed).actions.map(({ verb }) => verb);
      assert.deepEqual(
        verbs,
        verbs.toSorted((left, right) => 'cud'.indexOf(left[0] ?? '') - 'cud'.indexOf(right[0] ?? '')),
      );
    }),
  );
});

test('deletes nothing before all that is wanted can be had', () => {
  const old = { key: 'thing:old', state: { value: 3 }, ours: true } as const;
  const wanted = [
    { key: 'thing:a', state: { value: 1 }, requires: ['lease:new', 'link:flannel0'] },
    { key: 'thing:b', state: { value: 1 }, requires: ['link:flannel0'] },
  ] as const;
  const requires = (desired: readonly Desired<Thing>[]) =>
    diff(kind, desired, [old]).actions.find(({ verb }) => verb === 'delete')?.requires;
  assert.deepEqual(requires(wanted), ['lease:new', 'link:flannel0']);
  assert.deepEqual(requires([]), [], 'where nothing is wanted there is nothing to wait for');
});

test('the inverses in reverse order undo a plan', () => {
  fc.assert(
    fc.property(desiredWorlds, observedWorlds, (desired, observed) => {
      const { actions } = diff(kind, desired, observed);
      const undone = carriedOut(carriedOut(observed, actions), actions.toReversed().map(inverse));
      const sorted = (world: readonly Observed<Thing>[]) =>
        world.toSorted((left, right) => (left.key < right.key ? -1 : 1));
      assert.deepEqual(sorted(undone), sorted(observed));
    }),
  );
});

test('undoing twice is doing', () => {
  const action: Action<Thing> = {
    verb: 'create',
    key: 'thing:a',
    reason: 'missing',
    after: { value: 1 },
    requires: [],
    interrupts: false,
  };
  const again = inverse(inverse(action));
  assert.deepEqual({ ...again, reason: '' }, { ...action, reason: '' });
});
