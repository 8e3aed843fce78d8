/** The memory that all packets lie in: one piece, made once, so that a place in it is one number. */
import { sum16 } from '../wire/checksum.js';
import { type SummedMemory, simdSummedMemory } from '../wire/simd-sum.js';

const ALIGNMENT_BYTES = 64; // a cache line

export class PacketMemory {
  readonly bytes: Uint8Array;
  /** Bytes from `at` as 16-bit words, folded: `sum16`. */
  readonly sum: (at: number, length: number) => number;
  #reserved = 0;

  constructor(size: number, make: (size: number) => SummedMemory = summedMemory) {
    const { bytes, sum } = make(size);
    this.bytes = bytes;
    this.sum = sum;
  }

  /** Where the next `size` bytes begin that nobody else has. Throws RangeError when there are no more. */
  reserve(size: number): number {
    const at = this.#reserved;
    if (at + size > this.bytes.length) throw new RangeError('Cannot reserve packet memory: none is left');
    this.#reserved += Math.ceil(size / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return at;
  }
}

function summedMemory(size: number): SummedMemory {
  try {
    return simdSummedMemory(size);
  } catch {
    return plainSummedMemory(size);
  }
}

/** For processors without SIMD. */
export function plainSummedMemory(size: number): SummedMemory {
  const bytes = new Uint8Array(size);
  return { bytes, sum: (at, length) => sum16(bytes, at, length) };
}
