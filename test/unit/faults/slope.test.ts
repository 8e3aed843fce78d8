import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slopePerHour } from '../../faults/slope.js';

const HOUR = 3_600_000;

test('a line has its own slope, noise around it none', () => {
  const line = [0, 1, 2, 3].map((hours) => ({ atMs: hours * HOUR, value: 70 + 2 * hours }));
  assert.ok(Math.abs(slopePerHour(line) - 2) < 1e-9);
  const noise = [1, -1, -1, 1].map((value, index) => ({ atMs: index * HOUR, value }));
  assert.equal(slopePerHour(noise), 0);
});

test('one moment has no slope', () => {
  assert.equal(slopePerHour([]), 0);
  assert.equal(slopePerHour([{ atMs: 5, value: 1 }]), 0);
});
