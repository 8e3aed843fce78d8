/** Numbers in network byte order, in and out of a byte array. The caller has checked the length. */

export function readU16Be(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Signed: V8 keeps signed 32-bit integers out of the heap, unsigned ones above 2^31 not. */
export function readI32Be(bytes: Uint8Array, at: number): number {
  return (readU16Be(bytes, at) << 16) | readU16Be(bytes, at + 2);
}

export function writeU16Be(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeI32Be(bytes: Uint8Array, at: number, value: number): void {
  writeU16Be(bytes, at, value >>> 16);
  writeU16Be(bytes, at + 2, value & 0xffff);
}
