import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type Desired, diff, type Kind, type Observed } from '../../../src/model/diff.js';
import { DiffMemory } from '../../../src/model/diff-memory.js';
import type { ResourceKey } from '../../../src/model/plan.js';
import { objectStatuses, presentKeys } from '../../../src/model/status.js';
import { StatusMemory } from '../../../src/model/status-memory.js';
import { TrackedList } from '../../../src/model/tracked-list.js';

const kind: Kind<number> = {
  differences: (want, have) => (want === have ? [] : [`${have}, want ${want}`]),
};
const key = fc.nat(8).map((number): ResourceKey => `thing:${number}`);
const desired = fc.record({
  key,
  state: fc.nat(2),
  requires: fc.subarray<ResourceKey>(['link:a', 'lease:b'], { minLength: 0 }),
});
const observed = fc.record({ key, state: fc.nat(2), ours: fc.boolean() });

/** Each step changes some of both lists: a key with its object, or to be gone. */
const steps = fc.array(
  fc.record({
    wants: fc.array(fc.tuple(desired, fc.boolean()), { maxLength: 4 }),
    haves: fc.array(fc.tuple(observed, fc.boolean()), { maxLength: 4 }),
  }),
  { maxLength: 15 },
);

test('plans and statuses with a memory are those without one, step after step', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const comparison = new DiffMemory(kind);
      const memory = new StatusMemory();
      let wants = TrackedList.empty<Desired<number>>();
      let haves = TrackedList.empty<Observed<number>>();
      for (const step of sequence) {
        wants = wants.edited(step.wants.map(([want, stays]) => [want.key, stays ? want : undefined]));
        haves = haves.edited(step.haves.map(([have, stays]) => [have.key, stays ? have : undefined]));
        const plan = comparison.plan(wants.list, haves.list);
        assert.deepEqual(plan, diff(kind, wants.list, haves.list));

        const failed = plan.actions.slice(0, 1).map(({ key }) => ({ key, outcome: 'failed' as const }));
        const { objects, troubles, present } = memory.of(wants.list, plan, failed);
        const keys = wants.list.map((want) => want.key);
        const all = objectStatuses(keys, plan, failed);
        assert.deepEqual(byKey(objects), byKey(all));
        assert.deepEqual(byKey(troubles), byKey(all.filter(({ state }) => state !== 'in-sync')));
        assert.deepEqual(new Set(present), new Set(presentKeys(keys, plan)));
      }
    }),
  );
});

function byKey<T extends { readonly key: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((left, right) => (left.key < right.key ? -1 : 1));
}
