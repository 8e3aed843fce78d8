/** The Internet checksum (RFC 1071) and its update in place when one 16-bit word changes (RFC 1624). */
import { readU16Be } from './big-endian.js';

/** The checksum of `length` bytes from `at`: what to write when its own field is zero there, and 0 when it is right. */
export function checksum(bytes: Uint8Array, at: number, length: number): number {
  return ~sum16(bytes, at, length) & 0xffff;
}

/** The sum of the same bytes as 16-bit words, folded; at most 65,535 bytes. An odd last byte is a high half. */
export function sum16(bytes: Uint8Array, at: number, length: number): number {
  const end = at + length;
  const lastWord = end - (length & 1);
  let sum = 0;
  for (let next = at; next < lastWord; next += 2) sum += readU16Be(bytes, next);
  // An odd last byte counts as the high half of a word.
  if (lastWord < end) sum += (bytes[lastWord] as number) << 8;
  return folded(sum);
}

/**
 * `checksum` after one word of what it covers went from `before` to `after`. RFC 1624, equation 3: the shorter
 * form of RFC 1141 can give 0xffff where the full computation gives 0.
 */
export function adjustedChecksum(checksum: number, before: number, after: number): number {
  return ~folded((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}

/** A sum of 16-bit words brought into 16 bits: the carries added at the other end. `sum` is below 2^32. */
export function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + (rest >>> 16);
  return rest;
}
