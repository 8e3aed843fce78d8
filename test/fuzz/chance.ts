/** What a generator of inputs asks of chance. */
import { seededRandom } from '../fakes/seeded-random.js';

export class Chance {
  readonly #random: ReturnType<typeof seededRandom>;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** From `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.#random.next() * (most - least + 1));
  }

  is(probability: number): boolean {
    return this.#random.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)] as T;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.#random.next() * 256;
    return bytes;
  }

  /** The same with a few things wrong: bytes changed, cut off, doubled, put in. */
  spoilt(bytes: Uint8Array): Uint8Array {
    let spoilt = bytes.slice();
    for (let times = this.int(1, 3); times > 0; times--) {
      const at = this.int(0, Math.max(0, spoilt.length - 1));
      switch (this.int(0, 4)) {
        case 0:
          if (spoilt.length > 0) spoilt[at] = this.pick([0, 1, 0x7f, 0x80, 0xff, this.int(0, 255)]);
          break;
        case 1:
          if (spoilt.length > 0) spoilt[at] = (spoilt[at] as number) ^ (1 << this.int(0, 7));
          break;
        case 2:
          spoilt = spoilt.slice(0, at);
          break;
        case 3:
          spoilt = Uint8Array.from([
            ...spoilt.subarray(0, at),
            ...this.bytes(this.int(1, 4)),
            ...spoilt.subarray(at),
          ]);
          break;
        default:
          spoilt = Uint8Array.from([...spoilt, ...spoilt.subarray(at, at + 16)]);
      }
    }
    return spoilt;
  }
}
