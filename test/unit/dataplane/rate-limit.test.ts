import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateLimit } from '../../../src/dataplane/rate-limit.js';

test('allows five at once, then one every 200 ms', () => {
  const limit = new RateLimit();
  const at = [0, 0, 0, 0, 0, 0, 199, 200, 201, 400].map((ms) => limit.allows(1, ms));
  assert.deepEqual(at, [true, true, true, true, true, false, false, true, false, true]);
});

test('never allows more than ten in any second, however they come', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(150), { maxLength: 200 }), (gaps) => {
      const limit = new RateLimit();
      const allowedAt: number[] = [];
      let nowMs = 0;
      for (const gap of gaps) {
        nowMs += gap;
        if (limit.allows(7, nowMs)) allowedAt.push(nowMs);
      }
      for (const start of allowedAt) {
        const inSecond = allowedAt.filter((ms) => ms >= start && ms < start + 1000).length;
        assert.ok(inSecond <= 10, `${inSecond} in the second from ${start}`);
      }
    }),
  );
});

test('one noisy sender leaves the allowance of others alone', () => {
  const limit = new RateLimit();
  for (let count = 0; count < 100; count++) limit.allows(0x0a012802, 0);
  assert.equal(limit.allows(0x0a012803, 0), true);
});

test('spreads the addresses of one subnet over its buckets', () => {
  const limit = new RateLimit();
  const first = Array.from({ length: 254 }, (_, host) => limit.allows(0x0a012801 + host, 0));
  assert.ok(first.every(Boolean));
});
