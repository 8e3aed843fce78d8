/** The pieces of a message as the kernel wants them: an array of struct iovec, in memory that is made once. */
import koffi from 'koffi';
import type { Messages } from '../dataplane/messages.js';

/** UIO_MAXIOV of linux/uio.h. */
const MOST_VECTORS = 1024;
const VECTOR_BYTES = 16;
const HIGH = 2 ** 32;

/** The address of memory, below 2^53. It stays the same: V8 moves small arrays, but not once they have a buffer. */
export function addressOf({ buffer, byteOffset }: Uint8Array | Uint32Array): number {
  return Number(koffi.address(buffer)) + byteOffset;
}

/**
 * An address as an argument of a call. Its number is too large to be anything but an object of its own, and V8 makes another
 * one for each call; a BigInt is made once.
 */
export function argumentOf(memory: Uint8Array | Uint32Array): bigint {
  return BigInt(addressOf(memory));
}

/** Writes an address to the two 32-bit words at `word`: every processor that koffi runs on is little-endian. */
export function writeAddress(words: Uint32Array, word: number, address: number): void {
  words[word] = address % HIGH;
  words[word + 1] = address / HIGH;
}

/** Where a piece of memory begins. Kept as two integers: adding to a double and taking it apart takes ten times as long. */
export class Origin {
  readonly #low: number;
  readonly #high: number;

  constructor(readonly memory: Uint8Array) {
    const address = addressOf(memory);
    this.#low = address | 0;
    this.#high = Math.floor(address / HIGH);
  }

  /** Writes the address of byte `at` of the memory to the two words at `word`. */
  write(words: Uint32Array, word: number, at: number): void {
    const low = (this.#low + at) | 0;
    words[word] = low;
    words[word + 1] = low >>> 0 < at ? this.#high + 1 : this.#high;
  }
}

export class Gather {
  readonly address: number;
  /** The same as an argument. */
  readonly argument: bigint;
  readonly #words = new Uint32Array((MOST_VECTORS * VECTOR_BYTES) / 4);
  #origin: Origin | undefined;

  constructor() {
    this.address = addressOf(this.#words);
    this.argument = argumentOf(this.#words);
  }

  /** Fills the array with the pieces from `from` to before `to`; returns how many they are. */
  fill(messages: Messages, from: number, to: number): number {
    if (this.#origin?.memory !== messages.bytes) this.#origin = new Origin(messages.bytes);
    const origin = this.#origin;
    const { pieces } = messages;
    for (let piece = from, word = 0; piece < to; piece++, word += 4) {
      origin.write(this.#words, word, pieces[piece * 2] as number);
      this.#words[word + 2] = pieces[piece * 2 + 1] as number;
    }
    return to - from;
  }
}
