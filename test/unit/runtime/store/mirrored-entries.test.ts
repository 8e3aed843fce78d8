import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { StoreEntry, StoreEvent, StoreSnapshot } from '../../../../src/ports.js';
import { MirroredEntries } from '../../../../src/runtime/store/mirrored-entries.js';

function entry(key: string, revision: number, value = `${revision}`): StoreEntry {
  return { key, value, createRevision: 1n, modRevision: BigInt(revision), lease: '0' };
}

const put = (key: string, revision: number): StoreEvent => ({ type: 'put', entry: entry(key, revision) });
const del = (key: string, revision: number): StoreEvent => ({
  type: 'delete',
  key,
  modRevision: BigInt(revision),
});

function list(revision: number, entries: readonly StoreEntry[], clusterId = '1'): StoreSnapshot {
  return { revision: BigInt(revision), clusterId, entries };
}

const valuesOf = (mirrored: MirroredEntries) =>
  Object.fromEntries(mirrored.entries.list.map(({ key, value }) => [key, value]).sort());

function listed(revision: number, entries: readonly StoreEntry[]): MirroredEntries {
  const mirrored = new MirroredEntries();
  mirrored.applyList(list(revision, entries), 0n);
  return mirrored;
}

test('events after a list change what it said', () => {
  const mirrored = listed(10, [entry('a', 3), entry('b', 7)]);
  assert.equal(mirrored.applyEvents([put('c', 11), del('a', 12), put('b', 13)]), true);
  assert.deepEqual(valuesOf(mirrored), { b: '13', c: '11' });
  assert.equal(mirrored.revision, 13n);
});

test('events that the list holds already, and repeated ones, change nothing', () => {
  const mirrored = listed(10, [entry('a', 3)]);
  assert.equal(mirrored.applyEvents([put('a', 2), del('a', 9), put('x', 10)]), false);
  assert.equal(mirrored.applyEvents([put('b', 11)]), true);
  assert.equal(mirrored.applyEvents([put('b', 11)]), false);
  assert.deepEqual(valuesOf(mirrored), { a: '3', b: '11' });
});

test('a late put does not bring a deleted key back', () => {
  const mirrored = listed(10, [entry('a', 3)]);
  mirrored.applyEvents([del('a', 12), put('a', 11)]);
  assert.deepEqual(valuesOf(mirrored), {});
  mirrored.applyEvents([put('a', 13)]);
  assert.deepEqual(valuesOf(mirrored), { a: '13' });
});

test('a list that was overtaken by events takes nothing back', () => {
  const mirrored = listed(10, [entry('a', 3), entry('b', 4)]);
  const knownBefore = mirrored.revision;
  mirrored.applyEvents([put('a', 15), del('b', 16), put('c', 17)]);
  const result = mirrored.applyList(list(14, [entry('a', 3), entry('b', 4), entry('d', 14)]), knownBefore);
  assert.deepEqual(result, { hasChanged: true, isNewHistory: false });
  assert.deepEqual(valuesOf(mirrored), { a: '15', c: '17', d: '14' });
  mirrored.applyEvents([put('b', 12)]);
  assert.equal(mirrored.entries.get('b'), undefined);
});

test('of two lists on their way the newer one counts, whichever comes first', () => {
  const mirrored = listed(10, [entry('a', 3)]);
  mirrored.applyList(list(20, [entry('a', 20)]), 10n);
  assert.deepEqual(mirrored.applyList(list(15, [entry('a', 3)]), 10n), {
    hasChanged: false,
    isNewHistory: false,
  });
  assert.deepEqual(valuesOf(mirrored), { a: '20' });
});

test('a list sees changed values, not only new and missing keys', () => {
  const mirrored = listed(10, [entry('a', 3), entry('b', 4), entry('c', 5)]);
  mirrored.applyList(list(30, [entry('a', 3), entry('b', 25, 'changed')]), 10n);
  assert.deepEqual(valuesOf(mirrored), { a: '3', b: 'changed' });
});

test('a store whose revision went back is another history: all of it is taken', () => {
  const mirrored = listed(100, [entry('a', 90), entry('b', 91)]);
  mirrored.applyEvents([put('a', 101), del('b', 102)]);
  const result = mirrored.applyList(list(5, [entry('a', 4), entry('b', 5)]), mirrored.revision);
  assert.deepEqual(result, { hasChanged: true, isNewHistory: true });
  assert.deepEqual(valuesOf(mirrored), { a: '4', b: '5' });
  assert.equal(mirrored.revision, 5n);
  assert.equal(mirrored.applyEvents([put('a', 6)]), true);
});

test('another cluster is another history, whatever its revision', () => {
  const mirrored = listed(10, [entry('a', 9)]);
  mirrored.applyEvents([put('b', 12)]);
  const result = mirrored.applyList(list(500, [entry('a', 9, 'other')], '2'), mirrored.revision);
  assert.deepEqual(result, { hasChanged: true, isNewHistory: true });
  assert.deepEqual(valuesOf(mirrored), { a: 'other' });
});

test('the first list is a change even when it is empty', () => {
  const mirrored = new MirroredEntries();
  assert.deepEqual(mirrored.applyList(list(1, []), 0n), { hasChanged: true, isNewHistory: false });
  assert.deepEqual(mirrored.applyList(list(1, []), 1n), { hasChanged: false, isNewHistory: false });
});

test('an entry that did not change stays the same object', () => {
  const mirrored = listed(10, [entry('a', 3), entry('b', 4)]);
  const [a, b] = [mirrored.entries.get('a'), mirrored.entries.get('b')];
  const { hasChanged } = mirrored.applyList(list(12, [entry('a', 3), entry('b', 12)]), 10n);
  assert.equal(hasChanged, true);
  assert.equal(mirrored.entries.get('a'), a);
  assert.notEqual(mirrored.entries.get('b'), b);
});

test('whatever is lost, repeated or late, a last list makes it the store’s own state', () => {
  const operation = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), isPut: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 30 }),
      fc.infiniteStream(fc.nat(9)),
      (operations, chances) => {
        const chance = () => chances.next().value ?? 0;
        const mirrored = new MirroredEntries();
        const truth = new Map<string, StoreEntry>();
        let late: StoreEvent[] = [];
        const asked: { readonly list: StoreSnapshot; readonly knownBefore: bigint }[] = [];
        const ask = (revision: number) =>
          asked.push({ list: list(revision, [...truth.values()]), knownBefore: mirrored.revision });
        let revision = 1;
        ask(revision);
        for (const { key, isPut } of operations) {
          revision++;
          if (isPut) truth.set(key, entry(key, revision));
          else truth.delete(key);
          const event = isPut ? put(key, revision) : del(key, revision);
          // A tenth of the events is lost, a third late, the rest may come twice.
          const fate = chance();
          if (fate < 3) late.push(event);
          else if (fate < 9) mirrored.applyEvents(fate < 5 ? [event, event] : [event]);
          if (chance() < 2) ask(revision);
          if (chance() < 2) {
            const [answer] = asked.splice(chance() % Math.max(asked.length, 1), 1);
            if (answer) mirrored.applyList(answer.list, answer.knownBefore);
          }
          if (chance() < 2) {
            mirrored.applyEvents(late.reverse());
            late = [];
          }
          // Never newer than the store, never a key's past after its present.
          for (const { key: known, modRevision } of mirrored.entries.list) {
            assert.ok(modRevision <= (truth.get(known)?.modRevision ?? BigInt(revision)));
          }
        }
        mirrored.applyList(list(revision, [...truth.values()]), mirrored.revision);
        mirrored.applyEvents(late);
        for (const { list: old, knownBefore } of asked) mirrored.applyList(old, knownBefore);
        assert.deepEqual(new Map(mirrored.entries.list.map((entry) => [entry.key, entry])), truth);
      },
    ),
    { numRuns: 500 },
  );
});
