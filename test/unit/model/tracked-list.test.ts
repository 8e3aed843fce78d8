import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DerivedList } from '../../../src/model/derived-list.js';
import { TrackedList } from '../../../src/model/tracked-list.js';

/** Few keys, so that they meet; items are objects, told apart as themselves. */
const edit = fc.tuple(
  fc.integer({ min: 0, max: 40 }).map((number) => `key ${number}`),
  fc.oneof(
    { weight: 3, arbitrary: fc.nat(5).map((value) => ({ value })) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  ),
);
const history = fc.array(fc.array(edit, { maxLength: 8 }), { maxLength: 12 });

type Item = { readonly value: number };

const sorted = (items: Iterable<unknown>) => [...items].map((item) => JSON.stringify(item)).sort();

test('every state holds what a Map holds after the same edits, and keeps it', () => {
  fc.assert(
    fc.property(history, (batches) => {
      const truth = new Map<string, Item>();
      const states: { state: TrackedList<Item>; truth: ReadonlyMap<string, Item> }[] = [];
      let state = TrackedList.empty<Item>();
      for (const batch of batches) {
        state = state.edited(batch);
        for (const [key, item] of batch) {
          if (item === undefined) truth.delete(key);
          else truth.set(key, item);
        }
        states.push({ state, truth: new Map(truth) });
      }
      for (const { state, truth } of states) {
        assert.deepEqual(sorted(state.list), sorted(truth.values()));
        for (let number = 0; number <= 41; number++)
          assert.equal(state.get(`key ${number}`), truth.get(`key ${number}`));
        assert.equal(TrackedList.of(state.list), state);
      }
    }),
  );
});

test('any two states tell the keys in which they differ, and no others', () => {
  fc.assert(
    fc.property(history, (batches) => {
      const states = [TrackedList.empty<Item>()];
      for (const batch of batches) states.push((states.at(-1) as TrackedList<Item>).edited(batch));
      for (const left of states) {
        for (const right of states) {
          const keys = Array.from({ length: 42 }, (_, number) => `key ${number}`);
          const truth = keys.filter((key) => left.get(key) !== right.get(key));
          assert.deepEqual(sorted(left.differences(right)), sorted(truth));
        }
      }
    }),
  );
});

test('nothing changed, the same state', () => {
  const item = { value: 1 };
  const state = TrackedList.empty<Item>().edited([['a', item]]);
  assert.equal(
    state.edited([
      ['a', item],
      ['b', undefined],
    ]),
    state,
  );
});

test('a derived list is what it would be without a memory, also when the context changes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(edit, { maxLength: 6 }), fc.nat(2)), { maxLength: 12 }),
      (steps) => {
        const remembering = new DerivedList<Item, { readonly product: number }>();
        let state = TrackedList.empty<Item>();
        for (const [batch, factor] of steps) {
          state = state.edited(batch);
          const make = ({ value }: Item) => (value === 3 ? undefined : { product: value * factor });
          assert.deepEqual(
            sorted(remembering.listOf(state.list, { factor }, make)),
            sorted(state.list.flatMap((item) => make(item) ?? [])),
          );
        }
      },
    ),
  );
});

test('of several that were made with one key the one with the first key is shown, until it is gone', () => {
  fc.assert(
    fc.property(history, (batches) => {
      const derived = new DerivedList<{ key: string; value: number }, { name: string; of: string }>(
        ({ name }) => name,
      );
      let state = TrackedList.empty<{ key: string; value: number }>();
      for (const batch of batches) {
        state = state.edited(batch.map(([key, item]) => [key, item && { key, ...item }]));
        const made = state.list
          .map(({ key, value }) => ({ name: `name ${value}`, of: key }))
          .sort((left, right) => (left.of < right.of ? -1 : 1));
        const first = made.filter(({ name }, at) => made.findIndex((other) => other.name === name) === at);
        assert.deepEqual(
          sorted(derived.of(state, undefined, ({ key, value }) => ({ name: `name ${value}`, of: key })).list),
          sorted(first),
        );
      }
    }),
  );
});

test('what did not change is not derived again', () => {
  const made: number[] = [];
  const derived = new DerivedList<Item, Item>();
  const make = (item: Item) => {
    made.push(item.value);
    return item;
  };
  const many = Array.from({ length: 1000 }, (_, value) => [`key ${value}`, { value }] as const);
  const first = TrackedList.empty<Item>().edited(many);
  derived.of(first, undefined, make);
  assert.equal(made.length, 1000);
  derived.of(
    first.edited([
      ['key 7', { value: 7777 }],
      ['key 8', undefined],
    ]),
    undefined,
    make,
  );
  assert.deepEqual(made.slice(1000), [7777]);
});
