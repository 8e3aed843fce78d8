/** The scoreboard's own arithmetic. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { merged, percentile, type RowResult, shortfalls } from '../faults/result.js';
import { ROWS } from '../faults/rows.js';
import { LEFT_OUT } from '../faults/rows-left-out.js';

const GOOD: RowResult = {
  id: 'K4',
  date: '2026-01-01T00:00:00.000Z',
  commit: 'abcdef0',
  injected: 30,
  healed: 30,
  healedMs: { p50: 20, p99: 90, worst: 95 },
  lost: { worst: 80, total: 400 },
  duplicated: 0,
  wrong: 0,
  cpuPercent: 2,
  logLinesPerMinute: 6,
  leaks: [],
  failures: [],
};
const BAR = { healedMs: 100, lost: 80, cpuPercent: 2, logLinesPerMinute: 6 };

test('every fault is on the scoreboard once, or left out with a reason', () => {
  const ids = [...ROWS, ...LEFT_OUT].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, ids.join(' '));
});

test('a row within its bar falls short of nothing', () => {
  assert.deepEqual(shortfalls(BAR, GOOD), []);
});

for (const [name, change] of Object.entries({
  'one that did not heal': { healed: 29, failures: ['why'] },
  'a slow one': { healedMs: { p50: 20, p99: 101, worst: 101 } },
  'a time that was not measured': { healedMs: undefined },
  'a packet too many lost': { lost: { worst: 81, total: 81 } },
  'a packet twice': { duplicated: 1 },
  'a packet that went astray': { wrong: 1 },
  'something left': { leaks: ['host1 + a route'] },
  'a busy processor': { cpuPercent: 2.1 },
  'a loud log': { logLinesPerMinute: 7 },
})) {
  test(`${name} is a shortfall`, () => {
    assert.equal(shortfalls(BAR, { ...GOOD, ...change } as RowResult).length, 1);
  });
}

test('slack is for times, packets and load, and for nothing else', () => {
  const slow = { ...GOOD, healedMs: { p50: 20, p99: 300, worst: 300 }, lost: { worst: 240, total: 240 } };
  const slack = { factor: 3, lost: 10 };
  assert.deepEqual(shortfalls(BAR, slow, slack), []);
  assert.equal(shortfalls(BAR, { ...slow, lost: { worst: 251, total: 251 } }, slack).length, 1);
  assert.equal(shortfalls(BAR, { ...GOOD, wrong: 1 }, slack).length, 1);
});

test('percentiles are values that were measured', () => {
  const values = [5, 1, 4, 2, 3];
  assert.deepEqual(
    [0, 50, 80, 99, 100].map((percent) => percentile(values, percent)),
    [1, 3, 4, 5, 5],
  );
});

test('a newer measurement takes the place of an older one, on the same machine alone', () => {
  const machine = { cpu: 'x', cores: 2, memoryGiB: 8, kernel: '6', node: 'v20', etcd: '3' };
  const old = { machine, rows: [GOOD, { ...GOOD, id: 'K5' }] };
  const now = { machine, rows: [{ ...GOOD, commit: 'newer' }] };
  assert.deepEqual(
    merged(old, now).rows.map(({ id, commit }) => [id, commit]),
    [
      ['K4', 'newer'],
      ['K5', 'abcdef0'],
    ],
  );
  assert.deepEqual(merged({ ...old, machine: { ...machine, cores: 4 } }, now), now);
});
