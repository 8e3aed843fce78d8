/**
 * Puts eBPF programs together: the instructions of RFC 9669 that the fast path needs, and jumps by name. Pure.
 *
 * What is loaded from a packet has the processor's order, which is little-endian wherever the fast path is used;
 * `swap16` turns it.
 */

/** R0 has what a call gave; a call takes R1 to R5 and leaves nothing in them; R6 to R9 are kept; the stack ends at R10. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** In bytes. */
export type Width = 1 | 2 | 4 | 8;

const INSTRUCTION_BYTES = 8;

// Classes and modes (RFC 9669, section 3 and following).
const LDX_MEM = 0x61;
const ST_MEM = 0x62;
const STX_MEM = 0x63;
const STX_ATOMIC = 0xc3;
const LD_IMM64 = 0x18;
const PSEUDO_MAP_FD = 1;
const ALU64 = 0x07;
const JMP = 0x05;
const JMP32 = 0x06;
const FROM_REGISTER = 0x08;
const BY_ADDITION = 0x00;
const CALL = 0x85;
const EXIT = 0x95;
const JUMP_ALWAYS = 0x05;
const TO_BIG_ENDIAN = 0xdc; // ALU | END, source bit: big-endian

const SIZE: Readonly<Record<Width, number>> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };

const OPERATION = {
  '+=': 0x00,
  '-=': 0x10,
  '&=': 0x50,
  '<<=': 0x60,
  '>>=': 0x70,
  '^=': 0xa0,
  '=': 0xb0,
} as const;

const COMPARISON = {
  '==': 0x10,
  '>': 0x20,
  '!=': 0x50,
  '<': 0xa0,
  '<=': 0xb0,
} as const;

/** Of the unsigned numbers. */
export type Comparison = keyof typeof COMPARISON;
export type Operation = keyof typeof OPERATION;

/** A register or a number of 32 bits. */
export type Operand = { readonly register: Register } | number;

export function register(number: Register): Operand {
  return { register: number };
}

export class Assembler {
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #jumps: { readonly at: number; readonly label: string }[] = [];

  /** `to` = the bytes at `from` + `offset`. */
  load(width: Width, to: Register, from: Register, offset: number): this {
    return this.#emit(LDX_MEM | SIZE[width], to, from, offset, 0);
  }

  /** The bytes at `to` + `offset` = `value`. */
  store(width: Width, to: Register, offset: number, value: Operand): this {
    return typeof value === 'number'
      ? this.#emit(ST_MEM | SIZE[width], to, 0, offset, value)
      : this.#emit(STX_MEM | SIZE[width], to, value.register, offset, 0);
  }

  /** Adds to the 64 bits at `to` + `offset`, whoever else does so at this moment. */
  addAtomically(to: Register, offset: number, value: Register): this {
    return this.#emit(STX_ATOMIC | SIZE[8], to, value, offset, BY_ADDITION);
  }

  /** On all 64 bits. */
  do(to: Register, operation: Operation, value: Operand): this {
    const code = ALU64 | OPERATION[operation];
    return typeof value === 'number'
      ? this.#emit(code, to, 0, 0, value)
      : this.#emit(code | FROM_REGISTER, to, value.register, 0, 0);
  }

  /** The lower 16 bits, from network order or into it; what is above them becomes zero. */
  swap16(of: Register): this {
    return this.#emit(TO_BIG_ENDIAN, of, 0, 0, 16);
  }

  /** `to` = the map, as calls take it. */
  loadMap(to: Register, fd: number): this {
    return this.#emit(LD_IMM64, to, PSEUDO_MAP_FD, 0, fd).#emit(0, 0, 0, 0, 0);
  }

  /** One of the kernel's helpers, by its number in linux/bpf.h. */
  call(helper: number): this {
    return this.#emit(CALL, 0, 0, 0, helper);
  }

  jump(label: string): this {
    return this.#jumpTo(label, JUMP_ALWAYS, 0, 0, 0);
  }

  /** A number is compared with the lower 32 bits, a register with all 64. */
  jumpIf(left: Register, comparison: Comparison, right: Operand, label: string): this {
    const code = COMPARISON[comparison];
    return typeof right === 'number'
      ? this.#jumpTo(label, JMP32 | code, left, 0, right)
      : this.#jumpTo(label, JMP | code | FROM_REGISTER, left, right.register, 0);
  }

  /** All 64 bits are zero: a map has no such key. */
  jumpIfNull(of: Register, label: string): this {
    return this.#jumpTo(label, JMP | COMPARISON['=='], of, 0, 0);
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new RangeError(`Cannot use label ${name} twice`);
    this.#labels.set(name, this.#count);
    return this;
  }

  exit(): this {
    return this.#emit(EXIT, 0, 0, 0, 0);
  }

  /** Struct bpf_insn, one after the other. Throws RangeError for a jump to nowhere. */
  assemble(): Uint8Array {
    const bytes = Uint8Array.from(this.#bytes);
    const view = new DataView(bytes.buffer);
    for (const { at, label } of this.#jumps) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new RangeError(`Cannot jump to ${label}: there is no such label`);
      view.setInt16(at * INSTRUCTION_BYTES + 2, target - at - 1, true);
    }
    return bytes;
  }

  get #count(): number {
    return this.#bytes.length / INSTRUCTION_BYTES;
  }

  #jumpTo(label: string, code: number, to: Register, from: Register, value: number): this {
    this.#jumps.push({ at: this.#count, label });
    return this.#emit(code, to, from, 0, value);
  }

  #emit(code: number, to: Register, from: number, offset: number, value: number): this {
    const instruction = new Uint8Array(INSTRUCTION_BYTES);
    const view = new DataView(instruction.buffer);
    view.setUint8(0, code);
    view.setUint8(1, (from << 4) | to);
    view.setInt16(2, offset, true);
    view.setInt32(4, value, true);
    this.#bytes.push(...instruction);
    return this;
  }
}
