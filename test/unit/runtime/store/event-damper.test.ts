import assert from 'node:assert/strict';
import test from 'node:test';
import type { StoreEvent } from '../../../../src/ports.js';
import { BURST, EVERY_MS, EventDamper } from '../../../../src/runtime/store/event-damper.js';

/** The key's deletion at that revision: what a damper does, it does with puts too. */
function change(key: string, revision: number): StoreEvent {
  return { type: 'delete', key, modRevision: BigInt(revision) };
}

/** One every tenth of a second, as the damper lets them through; revisions from 1. */
function fought(damper: EventDamper, changes: number): readonly { atMs: number; revision: number }[] {
  const through: { atMs: number; revision: number }[] = [];
  for (let revision = 1; revision <= changes; revision++) {
    const nowMs = revision * 100;
    const passed = [...damper.pass([change('a', revision)], nowMs), ...damper.release(nowMs)];
    through.push(...passed.map((event) => ({ atMs: nowMs, revision: Number(revisionOf(event)) })));
  }
  return through;
}

function revisionOf(event: StoreEvent): bigint {
  return event.type === 'put' ? event.entry.modRevision : event.modRevision;
}

test('a few changes of a key come through at once', () => {
  const events = Array.from({ length: BURST }, (_, index) => change('a', index + 1));
  assert.deepEqual(new EventDamper().pass(events, 0), events);
});

test('of ten changes a second two come through, always the newest', () => {
  const through = fought(new EventDamper(), 100);
  assert.ok(through.length <= BURST + 2 * 10, `${through.length} came through`);
  assert.ok(through.length >= 2 * 9);
  for (const { atMs, revision } of through) assert.equal(revision * 100, atMs);
});

test('the last word comes through, and then nothing is held', () => {
  const damper = new EventDamper();
  fought(damper, 10);
  damper.pass([change('a', 11)], 1_050);
  const { dueMs } = damper;
  assert.ok(dueMs !== undefined && dueMs > 1_050 && dueMs <= 1_050 + EVERY_MS, `due at ${dueMs}`);
  assert.deepEqual(damper.release(dueMs - 1), []);
  assert.deepEqual(damper.release(dueMs), [change('a', 11)]);
  assert.equal(damper.dueMs, undefined);
});

test('what is held is not overtaken by what comes when its time has come', () => {
  const damper = new EventDamper();
  damper.pass(
    Array.from({ length: BURST + 1 }, (_, index) => change('a', index + 1)),
    0,
  );
  assert.deepEqual(damper.pass([change('a', 9)], EVERY_MS), []);
  assert.deepEqual(damper.release(EVERY_MS), [change('a', 9)]);
});

test('what a line repeats or brings late is no change, and takes nothing back', () => {
  const damper = new EventDamper();
  const events = [3, 3, 2, 3, 1, 4, 3, 4].map((revision) => change('a', revision));
  assert.deepEqual(damper.pass(events, 0), [change('a', 3), change('a', 4)]);
  damper.pass(
    [5, 6, 7, 8].map((revision) => change('a', revision)),
    0,
  );
  damper.pass([change('a', 6)], 0);
  assert.deepEqual(damper.release(EVERY_MS * BURST), [change('a', 8)]);
});

test('another history of the store begins anew', () => {
  const damper = new EventDamper();
  fought(damper, 10);
  damper.forget();
  assert.equal(damper.dueMs, undefined);
  assert.deepEqual(damper.pass([change('a', 1)], 1_000), [change('a', 1)]);
});

test('other keys are not held for it', () => {
  const damper = new EventDamper();
  fought(damper, 10);
  assert.deepEqual(damper.pass([change('b', 11)], 1_000), [change('b', 11)]);
});

test('a key that has been quiet may change at once again', () => {
  const damper = new EventDamper();
  fought(damper, 10);
  damper.release(60_000);
  const events = Array.from({ length: BURST }, (_, index) => change('a', index + 20));
  assert.deepEqual(damper.pass(events, 120_000), events);
});
