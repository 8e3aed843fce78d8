/** How long a thread may run at a time before others have their turn (sched_setattr(2), struct sched_attr of linux/sched/types.h). */
import koffi from 'koffi';

const library = koffi.load('libc.so.6');
// glibc has functions for them since 2.41.
const getAttributes = library.func(
  'long syscall(long number, int thread, void *attributes, uint32_t bytes, uint32_t flags)',
);
const setAttributes = library.func('long syscall(long number, int thread, void *attributes, uint32_t flags)');

const NUMBERS: Readonly<
  Partial<Record<NodeJS.Architecture, { readonly get: number; readonly set: number }>>
> = { x64: { get: 315, set: 314 }, arm64: { get: 275, set: 274 } };

const CALLING_THREAD = 0;
const SCHED_OTHER = 0;
const ATTRIBUTES_BYTES = 48; // SCHED_ATTR_SIZE_VER0
const POLICY_AT = 4;
const RUNTIME_AT = 24;

/**
 * Asks for slices of `ms` for the calling thread. Its share of the processor stays what it is. Linux before 6.12 has one
 * length for all; there, and where it is forbidden or somebody has chosen another policy for the process, nothing changes.
 */
export function askForSlices(ms: number): void {
  const numbers = NUMBERS[process.arch];
  if (numbers === undefined) return;
  const attributes = new Uint8Array(ATTRIBUTES_BYTES);
  const view = new DataView(attributes.buffer);
  if (Number(getAttributes(numbers.get, CALLING_THREAD, attributes, ATTRIBUTES_BYTES, 0)) !== 0) return;
  if (view.getUint32(POLICY_AT, true) !== SCHED_OTHER) return;
  view.setBigUint64(RUNTIME_AT, BigInt(ms * 1e6), true);
  setAttributes(numbers.set, CALLING_THREAD, attributes, 0);
}
