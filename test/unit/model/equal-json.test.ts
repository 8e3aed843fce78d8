import assert from 'node:assert/strict';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { equalJson } from '../../../src/model/equal-json.js';

for (const { left, right, want } of [
  { left: {}, right: {}, want: true },
  { left: { a: 1, b: [2] }, right: { b: [2], a: 1 }, want: true },
  { left: { a: undefined }, right: {}, want: true },
  { left: {}, right: { a: undefined }, want: true },
  { left: { a: null }, right: {}, want: false },
  { left: { a: { b: { c: 1 } } }, right: { a: { b: { c: 2 } } }, want: false },
  { left: [1, 2], right: [2, 1], want: false },
  { left: [1], right: [1, 2], want: false },
  { left: [1, 2], right: [1], want: false },
  { left: [], right: {}, want: false },
  { left: ['a'], right: { 0: 'a' }, want: false },
  { left: null, right: {}, want: false },
  { left: null, right: null, want: true },
  { left: undefined, right: null, want: false },
  { left: undefined, right: {}, want: false },
  { left: 1, right: '1', want: false },
  { left: 0, right: false, want: false },
  { left: '', right: [], want: false },
  { left: Number.NaN, right: Number.NaN, want: true },
  { left: 1n, right: 1n, want: true },
]) {
  const text = (value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? `${value}`);
  test(`${text(left)} ${want ? 'equals' : 'does not equal'} ${text(right)}`, () => {
    assert.equal(equalJson(left, right), want);
    assert.equal(equalJson(right, left), want, 'and the other way round');
  });
}

test('a value equals its own copy', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => assert.equal(equalJson(value, structuredClone(value)), true)),
  );
});

test('it says what a deep comparison says', () => {
  const value = fc.jsonValue({ depthSize: 'small' }).map((one): unknown => JSON.parse(JSON.stringify(one)));
  fc.assert(
    fc.property(value, value, (left, right) =>
      assert.equal(equalJson(left, right), isDeepStrictEqual(left, right)),
    ),
  );
});

test('one leaf changed anywhere makes a difference', () => {
  const leaves = fc.dictionary(
    fc.string({ minLength: 1, maxLength: 4 }),
    fc.array(fc.integer(), { minLength: 1 }),
    {
      minKeys: 1,
    },
  );
  fc.assert(
    fc.property(leaves, fc.nat(), fc.nat(), (value, whichKey, whichItem) => {
      const keys = Object.keys(value);
      const key = keys[whichKey % keys.length] as string;
      const items = [...(value[key] ?? [])];
      const index = whichItem % items.length;
      items[index] = (items[index] ?? 0) + 1;
      assert.equal(equalJson(value, { ...value, [key]: items }), false);
    }),
  );
});
