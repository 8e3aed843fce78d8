import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { base64Of, bytesOfBase64 } from '../../../src/wire/base64.js';

test('is what everybody else writes, and is read back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(base64Of(bytes), Buffer.from(bytes).toString('base64'));
      assert.deepEqual(bytesOfBase64(base64Of(bytes)), bytes);
    }),
  );
});

test('a packet of the greatest length is not too long', () => {
  const bytes = new Uint8Array(65_535).fill(0xff);
  assert.deepEqual(bytesOfBase64(base64Of(bytes)), bytes);
});
