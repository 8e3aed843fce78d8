/** One reader of bytes that others write, and how it is tried. */
import type { Chance } from './chance.js';

export interface FuzzTarget {
  /** Names its directory in the corpus. */
  readonly name: string;
  /** How many of a million inputs are its. */
  readonly share: number;
  /** An input of the form that is read, more or less; everything that `run` needs is in its bytes. */
  readonly make: (chance: Chance) => Uint8Array;
  /** What became of it, in a word or two; throws when that is not what the slow model says. */
  readonly run: (input: Uint8Array) => string;
}

export function textOf(input: Uint8Array): string {
  return new TextDecoder().decode(input);
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
