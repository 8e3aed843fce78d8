/**
 * bpf(2): maps, programs, and where programs are attached. Everything made here is an open descriptor, which the caller closes and
 * with which it goes. Every failure is a SystemError.
 */
import koffi from 'koffi';
import { SystemError } from '../ports.js';
import { argumentOf } from './gather.js';
import { errnoName, systemError } from './libc.js';

const library = koffi.load('libc.so.6');
const syscall = library.func('long syscall(long number, int command, void *attributes, uint32_t bytes)');

const SYS_BPF: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 321, arm64: 280 };

// enum bpf_cmd
const MAP_CREATE = 0;
const MAP_LOOKUP_ELEM = 1;
const MAP_UPDATE_ELEM = 2;
const MAP_DELETE_ELEM = 3;
const PROG_LOAD = 5;
const LINK_CREATE = 28;

const PROG_TYPE_SCHED_CLS = 3;
const ATTACH_TYPE = { ingress: 46, egress: 47 } as const; // BPF_TCX_INGRESS, BPF_TCX_EGRESS
const MAP_TYPE_LPM_TRIE = 11;
const F_NO_PREALLOC = 1;

/** As much of union bpf_attr as is used here. */
const ATTRIBUTES_BYTES = 96;
/** Some helpers are for programs under this licence alone (bpf-helpers(7)). */
const LICENSE = new TextEncoder().encode('GPL\0');
const LOG_BYTES = 1 << 20;
const INSTRUCTION_BYTES = 8;

export interface MapSettings {
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly entries: number;
}

/** BPF_MAP_TYPE_LPM_TRIE, which takes memory for what is in it; keys are struct bpf_lpm_trie_key. */
export function createPrefixMap({ keyBytes, valueBytes, entries }: MapSettings): number {
  const attributes = new Attributes()
    .number(0, MAP_TYPE_LPM_TRIE)
    .number(4, keyBytes)
    .number(8, valueBytes)
    .number(12, entries)
    .number(16, F_NO_PREALLOC);
  return bpf(MAP_CREATE, attributes, `make a map of ${entries} entries`);
}

export function setEntry(map: number, key: Uint8Array, value: Uint8Array): void {
  const attributes = new Attributes().number(0, map).pointer(8, key).pointer(16, value);
  bpf(MAP_UPDATE_ELEM, attributes, 'set an entry of a map');
}

/** Fills `value`. Throws ENOENT when there is no such entry. */
export function readEntry(map: number, key: Uint8Array, value: Uint8Array): void {
  const attributes = new Attributes().number(0, map).pointer(8, key).pointer(16, value);
  bpf(MAP_LOOKUP_ELEM, attributes, 'read an entry of a map');
}

/** Throws ENOENT when there is none. */
export function deleteEntry(map: number, key: Uint8Array): void {
  bpf(MAP_DELETE_ELEM, new Attributes().number(0, map).pointer(8, key), 'delete an entry of a map');
}

/** `program` is instructions for BPF_PROG_TYPE_SCHED_CLS. What the verifier has against it is in the error. */
export function loadProgram(program: Uint8Array): number {
  const log = new Uint8Array(LOG_BYTES);
  const attributes = new Attributes()
    .number(0, PROG_TYPE_SCHED_CLS)
    .number(4, program.length / INSTRUCTION_BYTES)
    .pointer(8, program)
    .pointer(16, LICENSE);
  try {
    return bpf(PROG_LOAD, attributes, 'load a program');
  } catch {
    // Once more, to hear why: a log costs time.
    attributes.number(24, 1).number(28, log.length).pointer(32, log);
    return bpf(PROG_LOAD, attributes, 'load a program', () => lastLinesOf(log));
  }
}

/** At a link, after the programs that are there already (TCX; Linux 6.6). */
export function attachProgram(program: number, linkIndex: number, where: keyof typeof ATTACH_TYPE): number {
  const attributes = new Attributes().number(0, program).number(4, linkIndex).number(8, ATTACH_TYPE[where]);
  return bpf(LINK_CREATE, attributes, `attach a program to link ${linkIndex}`, (code) =>
    code === 'EINVAL' ? 'the kernel has no tcx, which came with Linux 6.6' : undefined,
  );
}

/** Union bpf_attr: what is not set is zero. */
class Attributes {
  readonly bytes = new Uint8Array(ATTRIBUTES_BYTES);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #kept: Uint8Array[] = [];

  number(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true);
    return this;
  }

  pointer(offset: number, to: Uint8Array): this {
    this.#view.setBigUint64(offset, argumentOf(to), true);
    this.#kept.push(to);
    return this;
  }

  /** Until now nothing that was pointed to has gone. */
  release(): void {
    this.#kept.length = 0;
  }
}

/** `explain` may have better words for a failure, told its code, than those that the code has. */
function bpf(
  command: number,
  attributes: Attributes,
  action: string,
  explain?: (code: string) => string | undefined,
): number {
  const number = SYS_BPF[process.arch];
  if (number === undefined) {
    throw new SystemError(`Cannot ${action}: bpf(2) has no known number on ${process.arch}`, 'ENOSYS');
  }
  const { bytes } = attributes;
  const result = Number(syscall(number, command, bytes, bytes.length));
  const errno = koffi.errno();
  attributes.release();
  if (result >= 0) return result;
  throw systemError(action, errno, explain?.(errnoName(errno)));
}

/** Undefined when the verifier did not come to speak. */
function lastLinesOf(log: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(log.subarray(0, log.indexOf(0))).trim();
  return text === '' ? undefined : text.split('\n').slice(-3).join(' / ');
}
