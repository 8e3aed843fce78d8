import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type Instruction,
  MOST_RANGES,
  rangesOf,
  senderFilter,
} from '../../../src/dataplane/sender-filter.js';

const address = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.integer({ min: 0x0a08_0000, max: 0x0a08_0200 }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff),
);
const addresses = fc.array(address, { maxLength: 600 });

test('ranges hold every address, and nothing else where they are enough', () => {
  fc.assert(
    fc.property(addresses, fc.integer({ min: 1, max: 700 }), (list, most) => {
      const ranges = rangesOf(list, most);
      assert.ok(ranges.length <= most || list.length === 0);
      for (const one of list) assert.ok(ranges.some(({ first, last }) => first <= one && one <= last));
      const held = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
      if (new Set(list).size <= most) assert.equal(held, new Set(list).size);
    }),
  );
});

test('the nearest neighbours are joined first', () => {
  assert.deepEqual(rangesOf([10, 11, 20, 100, 300, 305], 3), [
    { first: 10, last: 20 },
    { first: 100, last: 100 },
    { first: 300, last: 305 },
  ]);
});

test('the program lets in what is in a range, and nothing else', () => {
  fc.assert(
    fc.property(addresses, fc.array(address, { maxLength: 50 }), (list, others) => {
      const program = senderFilter(rangesOf(list, MOST_RANGES));
      const known = new Set(list);
      for (const one of [
        ...list,
        ...list.map((near) => near + 1),
        ...list.map((near) => near - 1),
        ...others,
      ]) {
        if (one < 0 || one > 0xffff_ffff) continue;
        assert.equal(passes(program, one), known.has(one), `${one}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('as many ranges as there may be fit into a program, and a verdict takes few steps', () => {
  const list = Array.from({ length: 10_000 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 0);
  const program = senderFilter(rangesOf(list, MOST_RANGES));
  assert.ok(program.length <= 4096, `${program.length} instructions`);
  for (const { jt, jf } of program) assert.ok(jt <= 255 && jf <= 255);
  for (const one of list) assert.ok(passes(program, one));
  const strangers = Array.from({ length: 10_000 }, (_, index) => Math.imul(index + 7, 40_503_001) >>> 0);
  const steps = strangers.map((one) => run(program, one).steps);
  assert.ok(Math.max(...steps) < 30, `${Math.max(...steps)} steps`);
});

function passes(program: readonly Instruction[], source: number): boolean {
  return run(program, source).value !== 0;
}

/** A machine for the few instructions that are used (linux/filter.h); the accumulator is the packet's source address. */
function run(
  program: readonly Instruction[],
  source: number,
): { readonly value: number; readonly steps: number } {
  let accumulator = 0;
  let at = 0;
  for (let steps = 1; ; steps++) {
    const { code, jt, jf, k } = program[at++] as Instruction;
    switch (code) {
      case 0x20:
        assert.equal(k, 0xfff0_000c);
        accumulator = source;
        break;
      case 0x05:
        at += k;
        break;
      case 0x35:
        at += accumulator >= k ? jt : jf;
        break;
      case 0x06:
        return { value: k, steps };
      default:
        assert.fail(`instruction ${code}`);
    }
  }
}
