import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sum16 } from '../../../src/wire/checksum.js';
import { simdSummedMemory } from '../../../src/wire/simd-sum.js';

const memory = simdSummedMemory(70_000);

test('agrees with the sum taken word by word, at any place and for any length', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, fc.nat({ max: 40 }), fc.nat({ max: 200 }), (content, at, length) => {
      memory.bytes.fill(0xff);
      memory.bytes.set(content, at);
      assert.equal(memory.sum(at, length), sum16(memory.bytes, at, length));
    }),
    { numRuns: 1000 },
  );
});

test('holds the largest sum that there is', () => {
  memory.bytes.fill(0xff);
  for (const length of [65_534, 65_535]) assert.equal(memory.sum(3, length), sum16(memory.bytes, 3, length));
});

test('gives at least the memory that was asked for', () => {
  assert.ok(memory.bytes.length >= 70_000);
});
