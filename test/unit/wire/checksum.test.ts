import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { adjustedChecksum, checksum } from '../../../src/wire/checksum.js';
import { sumOf } from '../../fakes/packets.js';

test('gives the checksum of the example in RFC 1071, section 3', () => {
  const bytes = Uint8Array.from([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
  assert.equal(checksum(bytes, 0, bytes.length), ~0xddf2 & 0xffff);
});

test('adds a carry that arises from adding a carry', () => {
  assert.equal(checksum(bytesOf([0xffff, 0xffff, 0x0001]), 0, 6), ~1 & 0xffff);
});

test('agrees with the sum taken word by word, at any place and for any length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 9 }), (bytes, before) => {
      const all = Uint8Array.from([...before, ...bytes, 0xff]);
      assert.equal(checksum(all, before.length, bytes.length), sumOf(bytes));
    }),
  );
});

test('the adjusted checksum is the one that would be computed anew', () => {
  const word = fc.integer({ min: 0, max: 0xffff });
  fc.assert(
    fc.property(fc.array(word, { minLength: 2, maxLength: 30 }), fc.nat(), word, (words, pick, after) => {
      const at = pick % words.length;
      const changed = words.with(at, after);
      // All words zero is the one sum that has two spellings; no header is all zero.
      fc.pre(words.some((value) => value !== 0) && changed.some((value) => value !== 0));
      const before = words[at] as number;
      assert.equal(adjustedChecksum(sumOf(bytesOf(words)), before, after), sumOf(bytesOf(changed)));
    }),
    { numRuns: 2000 },
  );
});

test('adjusts as RFC 1624, section 4, where RFC 1141 gives 0xffff', () => {
  assert.equal(adjustedChecksum(0xdd2f, 0x5555, 0x3285), 0x0000);
});

function bytesOf(words: readonly number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}
