/**
 * `sum16` over memory of WebAssembly, sixteen bytes at a time: adding up payloads word by word in JavaScript
 * takes a third of the packet loop's time. The module is small enough to be written down as it is encoded.
 */

/** What is used of the platform's own WebAssembly, for which TypeScript has no types outside a browser. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: { readonly sum: (at: number, length: number) => number } };
};

const PAGE_BYTES = 65_536;

// The encodings of the WebAssembly core specification, section 5, that the function below is made of.
const I32 = 0x7f;
const V128 = 0x7b;
const NO_RESULT = 0x40;
const BLOCK = [0x02, NO_RESULT];
const LOOP = [0x03, NO_RESULT];
const END = [0x0b];
const BRANCH = (depth: number) => [0x0c, depth];
const BRANCH_IF = (depth: number) => [0x0d, depth];
const GET = (local: number) => [0x20, local];
const SET = (local: number) => [0x21, local];
const LOAD_U8 = [0x2d, 0, 0];
const LOAD_U16 = [0x2f, 0, 0];
const CONST = (value: number) => [0x41, ...signedLeb128(value)];
const GREATER_OR_EQUAL_U = [0x4f];
const ADD = [0x6a];
const AND = [0x71];
const SHIFT_LEFT = [0x74];
const SHIFT_RIGHT_U = [0x76];
const V128_LOAD = (offset: number) => [0xfd, 0x00, 0, offset];
const I16X8_CONST = (word: number) => [0xfd, 0x0c, ...eightTimes(word & 0xff, word >>> 8)];
const I32X4_EXTRACT_LANE = (lane: number) => [0xfd, 0x1b, lane];
const V128_XOR = [0xfd, 0x51];
const I32X4_ADD = [0xfd, 0xae, 0x01];
const I32X4_DOT_I16X8_S = [0xfd, 0xba, 0x01];

function eightTimes(...bytes: readonly number[]): number[] {
  return Array<readonly number[]>(8).fill(bytes).flat();
}

function signedLeb128(value: number): number[] {
  const isLast = value >= -64 && value < 64;
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signedLeb128(value >> 7)];
}

// The parameters and locals. No sum overflows: at most 32,768 words of 16 bits.
const AT = 0;
const LENGTH = 1;
const END_AT = 2;
const SUM = 3;
const LANES = 4;

const advance = (bytes: number) => [...GET(AT), ...CONST(bytes), ...ADD, ...SET(AT)];

/** Runs `body` for each whole `bytes`, a power of two, of the LENGTH from AT, and leaves in AT and LENGTH what is left over. */
function forEach(bytes: number, body: readonly number[]): readonly number[] {
  return [
    ...[...GET(AT), ...GET(LENGTH), ...CONST(-bytes), ...AND, ...ADD, ...SET(END_AT)],
    ...[...GET(LENGTH), ...CONST(bytes - 1), ...AND, ...SET(LENGTH)],
    ...[...BLOCK, ...LOOP],
    ...[...GET(AT), ...GET(END_AT), ...GREATER_OR_EQUAL_U, ...BRANCH_IF(1)],
    ...body,
    ...advance(bytes),
    ...[...BRANCH(0), ...END, ...END],
  ];
}

/**
 * Adds the eight words `offset` behind AT to LANES. One instruction multiplies words and adds up two products at a time, but
 * takes the words as signed: with its highest bit turned over each is what it was, less 0x8000.
 */
const addEightWords = (offset: number) => [
  ...[...GET(AT), ...V128_LOAD(offset), ...I16X8_CONST(0x8000), ...V128_XOR],
  ...[...I16X8_CONST(1), ...I32X4_DOT_I16X8_S],
  ...[...GET(LANES), ...I32X4_ADD, ...SET(LANES)],
];
const addLane = (lane: number) => [...GET(LANES), ...I32X4_EXTRACT_LANE(lane), ...ADD];
const fold = [
  ...[...GET(SUM), ...CONST(0xffff), ...AND],
  ...[...GET(SUM), ...CONST(16), ...SHIFT_RIGHT_U, ...ADD, ...SET(SUM)],
];

/** Adds up little-endian words, which is the sum of big-endian ones with its two bytes swapped (RFC 1071, section 2B). */
const CODE = [
  // What the words added as signed ones are less: 0x8000 for each two bytes.
  ...[...GET(LENGTH), ...CONST(-16), ...AND, ...CONST(14), ...SHIFT_LEFT, ...SET(SUM)],
  ...forEach(64, [0, 16, 32, 48].flatMap(addEightWords)),
  ...forEach(16, addEightWords(0)),
  ...forEach(2, [...GET(SUM), ...GET(AT), ...LOAD_U16, ...ADD, ...SET(SUM)]),
  // An odd last byte is the low half of a little-endian word.
  ...forEach(1, [...GET(SUM), ...GET(AT), ...LOAD_U8, ...ADD, ...SET(SUM)]),
  ...[...GET(SUM), ...addLane(0), ...addLane(1), ...addLane(2), ...addLane(3), ...SET(SUM)],
  ...[...fold, ...fold],
  ...[...GET(SUM), ...CONST(0xff), ...AND, ...CONST(8), ...SHIFT_LEFT],
  ...[...GET(SUM), ...CONST(8), ...SHIFT_RIGHT_U, ...ADD],
  ...END,
];

const name = (text: string) => [text.length, ...Array.from(text, (letter) => letter.charCodeAt(0))];
const leb128 = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
const sized = (bytes: readonly number[]) => [...leb128(bytes.length), ...bytes];
const section = (id: number, content: readonly number[]) => [id, ...sized(content)];
const LOCALS = [2, 2, I32, 1, V128];
const MODULE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
  ...section(1, [1, 0x60, 2, I32, I32, 1, I32]), // one type: (i32, i32) → i32
  ...section(2, [1, ...name('packets'), ...name('memory'), 0x02, 0, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...name('sum'), 0, 0]),
  ...section(10, [1, ...sized([...LOCALS, ...CODE])]),
]);

export interface SummedMemory {
  readonly bytes: Uint8Array;
  /** `sum16` of at most 65,535 of these bytes. */
  sum(at: number, length: number): number;
}

/** New memory of at least `size` bytes, which stays where it is. Throws where the processor or Node has no SIMD. */
export function simdSummedMemory(size: number): SummedMemory {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE_BYTES) });
  const { sum } = new WebAssembly.Instance(new WebAssembly.Module(MODULE), { packets: { memory } }).exports;
  return { bytes: new Uint8Array(memory.buffer), sum };
}
