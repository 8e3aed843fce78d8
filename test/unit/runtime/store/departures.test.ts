import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreEntry } from '../../../../src/ports.js';
import { BRIEF_MS, Departures, GRACE_MS } from '../../../../src/runtime/store/departures.js';

const entry = (host: number): StoreEntry => ({
  key: `subnets/10.5.${host}.0-24`,
  value: '{}',
  createRevision: 1n,
  modRevision: 1n,
  lease: '0',
});
const heldOf = (departures: Departures) => departures.held.map(({ key }) => key);

for (const { what, gone, left, isNewHistory, isHeld } of [
  { what: 'one of two', gone: 1, left: 1, isNewHistory: false, isHeld: false },
  { what: 'the last one', gone: 1, left: 0, isNewHistory: false, isHeld: false },
  { what: 'two of two', gone: 2, left: 0, isNewHistory: false, isHeld: true },
  { what: 'half of many', gone: 50, left: 50, isNewHistory: false, isHeld: false },
  { what: 'most of many', gone: 51, left: 49, isNewHistory: false, isHeld: true },
  { what: 'one that another history lacks', gone: 1, left: 99, isNewHistory: true, isHeld: true },
  { what: 'none that another history lacks', gone: 0, left: 99, isNewHistory: true, isHeld: false },
]) {
  test(`${what}: ${isHeld ? 'held' : 'believed'}`, () => {
    const departures = new Departures();
    const entries = Array.from({ length: gone }, (_, host) => entry(host));
    assert.equal(departures.note(entries, left, isNewHistory, 5), isHeld);
    assert.equal(departures.held.length, isHeld ? gone : 0);
    assert.equal(departures.untilMs, isHeld ? 5 + GRACE_MS : undefined);
  });
}

test('what goes away piece by piece within a second goes away together', () => {
  const departures = new Departures();
  const held = [1, 2, 3, 4].map((host) => departures.note([entry(host)], 5 - host, false, host * 250));
  assert.deepEqual(held, [false, false, true, true]);
  assert.equal(departures.held.length, 4);
  assert.equal(departures.untilMs, 750 + GRACE_MS);
  const slowly = new Departures();
  for (const host of [1, 2, 3, 4])
    assert.equal(slowly.note([entry(host)], 5 - host, false, host * 1_000), false);
});

test('they are let go of after the grace, by a list that was asked for after it', () => {
  const departures = new Departures();
  departures.note([entry(1), entry(2), entry(3)], 0, false, 0);
  departures.returned(entry(2).key);
  assert.deepEqual(heldOf(departures), [entry(1).key, entry(3).key]);
  assert.equal(departures.confirm(GRACE_MS - 1), false);
  assert.equal(departures.held.length, 2);
  departures.note([entry(4)], 0, false, 500);
  assert.equal(departures.confirm(GRACE_MS), true);
  assert.deepEqual(heldOf(departures), [entry(4).key]);
  assert.equal(departures.confirm(GRACE_MS + 500), true);
  assert.deepEqual(heldOf(departures), []);
  assert.equal(departures.untilMs, undefined);
});

test('one lease that comes and goes many times a second is not most of them', () => {
  const departures = new Departures();
  for (let time = 0; time < 5; time++) {
    assert.equal(departures.note([entry(1)], 3, false, time * 100), false);
    departures.returned(entry(1).key);
  }
});

test('one that went alone is held for two seconds, without a word, unless it comes back or was a reservation', () => {
  const departures = new Departures();
  const [alone, back] = [1, 2].map((host) => ({ ...entry(host), lease: '77' })) as [StoreEntry, StoreEntry];
  assert.equal(departures.note([alone], 9, false, 0), false);
  departures.note([back, entry(3)], 7, false, 500);
  assert.deepEqual(heldOf(departures), [alone.key, back.key]);
  assert.deepEqual(
    [departures.vanished, departures.untilMs, departures.briefUntilMs],
    [0, undefined, BRIEF_MS],
  );
  departures.returned(back.key);
  assert.equal(departures.release(BRIEF_MS - 1), false);
  assert.equal(departures.release(BRIEF_MS), true);
  assert.deepEqual(heldOf(departures), []);
  assert.equal(departures.briefUntilMs, undefined);
});

test('one that went alone belongs to those that follow it', () => {
  const departures = new Departures();
  const [first, ...others] = [1, 2, 3].map((host) => ({ ...entry(host), lease: '77' }));
  departures.note([first as StoreEntry], 2, false, 0);
  assert.equal(departures.note(others, 0, false, 100), true);
  assert.equal(departures.release(BRIEF_MS), false);
  assert.equal(departures.vanished, 3);
});
