/** The memory that all packets lie in: one piece, made once, so that a place in it is one number. */
import { sum16 } from '../wire/checksum.js';
import { type SummedMemory, simdSummedMemory } from '../wire/simd-sum.js';

const ALIGNMENT_BYTES = 64; // a cache line

export class PacketMemory {
  readonly bytes: Uint8Array;
  /** The same bytes: several at a time are read and written in one step. */
  readonly view: DataView;
  /** Bytes from `at` as 16-bit words, folded: `sum16`. */
  readonly sum: (at: number, length: number) => number;
  #reserved = 0;

  constructor(size: number, make: (size: number) => SummedMemory = summedMemory) {
    const { bytes, sum } = make(size);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.sum = sum;
  }

  /** Whether the four bytes at `at` are those at `other`. */
  isSame32(at: number, other: number): boolean {
    return this.view.getInt32(at, true) === this.view.getInt32(other, true);
  }

  isSame16(at: number, other: number): boolean {
    return this.view.getUint16(at, true) === this.view.getUint16(other, true);
  }

  /** Writes the `length` bytes from `from` to `to`, `count` times behind each other: each call doubles what is there. */
  repeat(from: number, length: number, to: number, count: number): void {
    const total = length * count;
    this.bytes.copyWithin(to, from, from + length);
    for (let done = length; done < total; done *= 2)
      this.bytes.copyWithin(to + done, to, to + Math.min(done, total - done));
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
