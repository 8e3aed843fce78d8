/**
 * Captured packets on their way from the loop's thread to the control plane's: a ring in memory that both see, written by the
 * one and read by the other, with no lock and no allocation for a packet. What does not fit is counted and left out.
 */
import { DIRECTION, type Direction } from './capture-filter.js';

/** A power of two: how much the control plane may be behind. */
const RING_BYTES = 4 << 20;
/** In front of the ring: bytes written, bytes read, packets left out; each goes round at 2^32. */
const WRITTEN = 0;
const READ = 1;
const MISSED = 2;
const RING_AT = 16;

/** Of a record, in bytes. A record of length 0 says that the next one begins where the ring does. */
const RECORD = {
  LENGTH: 0,
  KEPT: 4,
  EPOCH_MS: 8,
  PACKET_BYTES: 16,
  FLAGS: 20,
  ROW: 24,
  ADDRESS: 28,
  PORT: 32,
} as const;
const RECORD_HEADER_BYTES = 40;
const DROP_MASK = 0xff;
const INBOUND = 0x100;
const ANSWER = 0x200;
const DATAGRAM = 0x400;

/** A packet but for its bytes. `row` and `drop` as everywhere; `port` is 0 where there is no other end. */
export interface CaptureRecord {
  epochMs: number;
  direction: Direction;
  drop: number;
  isAnswer: boolean;
  isDatagram: boolean;
  row: number;
  address: number;
  port: number;
  packetBytes: number;
}

export function captureMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(RING_AT + RING_BYTES);
}

export class CaptureRing {
  readonly #state: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Of the record in the making. */
  #at = 0;
  #end = 0;
  #next = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#state = new Int32Array(memory, 0, RING_AT / Int32Array.BYTES_PER_ELEMENT);
    this.#bytes = new Uint8Array(memory, RING_AT, RING_BYTES);
    this.#view = new DataView(memory, RING_AT, RING_BYTES);
  }

  // ---- the loop's side -----------------------------------------------------------------------------------

  /** Begins a record that will keep at most `snapBytes` of the packet; false when there is no room, which is counted. */
  begin(record: CaptureRecord, snapBytes: number): boolean {
    const kept = Math.min(record.packetBytes, snapBytes);
    const length = (RECORD_HEADER_BYTES + kept + 7) & ~7;
    const written = this.#state[WRITTEN] as number;
    const at = written & (RING_BYTES - 1);
    // A record lies in one piece.
    const skipped = at + length > RING_BYTES ? RING_BYTES - at : 0;
    const held = (written - Atomics.load(this.#state, READ)) | 0;
    if (held + skipped + length > RING_BYTES) {
      Atomics.add(this.#state, MISSED, 1);
      return false;
    }
    if (skipped > 0) this.#view.setInt32(at + RECORD.LENGTH, 0, true);
    this.#at = skipped > 0 ? 0 : at;
    this.#end = this.#at + RECORD_HEADER_BYTES + kept;
    this.#next = (written + skipped + length) | 0;
    this.#writeHeader(record, length, kept);
    this.#at += RECORD_HEADER_BYTES;
    return true;
  }

  /** The next bytes of the packet; those beyond what is kept are passed over. */
  append(bytes: Uint8Array, at: number, length: number): void {
    const kept = Math.min(length, this.#end - this.#at);
    for (let next = 0; next < kept; next++) this.#bytes[this.#at + next] = bytes[at + next] as number;
    this.#at += kept;
  }

  /** Ends the record: the other side may read it. */
  end(): void {
    Atomics.store(this.#state, WRITTEN, this.#next);
  }

  #writeHeader(record: CaptureRecord, length: number, kept: number): void {
    const view = this.#view;
    const at = this.#at;
    const flags =
      record.drop |
      (record.direction === DIRECTION.IN ? INBOUND : 0) |
      (record.isAnswer ? ANSWER : 0) |
      (record.isDatagram ? DATAGRAM : 0);
    view.setInt32(at + RECORD.LENGTH, length, true);
    view.setInt32(at + RECORD.KEPT, kept, true);
    view.setFloat64(at + RECORD.EPOCH_MS, record.epochMs, true);
    view.setInt32(at + RECORD.PACKET_BYTES, record.packetBytes, true);
    view.setInt32(at + RECORD.FLAGS, flags, true);
    view.setInt32(at + RECORD.ROW, record.row, true);
    view.setInt32(at + RECORD.ADDRESS, record.address, true);
    view.setInt32(at + RECORD.PORT, record.port, true);
  }

  // ---- the control plane's side --------------------------------------------------------------------------

  /** All that has come since the last call, the oldest first. */
  take(): readonly (CaptureRecord & { readonly bytes: Uint8Array })[] {
    const taken: (CaptureRecord & { readonly bytes: Uint8Array })[] = [];
    const written = Atomics.load(this.#state, WRITTEN);
    let read = this.#state[READ] as number;
    while (read !== written) {
      const at = read & (RING_BYTES - 1);
      const length = this.#view.getInt32(at + RECORD.LENGTH, true);
      if (length > 0) taken.push(this.#recordAt(at));
      read = (read + (length > 0 ? length : RING_BYTES - at)) | 0;
    }
    Atomics.store(this.#state, READ, read);
    return taken;
  }

  /** Packets that were left out since the last call. */
  takeMissed(): number {
    return Atomics.exchange(this.#state, MISSED, 0);
  }

  #recordAt(at: number): CaptureRecord & { readonly bytes: Uint8Array } {
    const view = this.#view;
    const flags = view.getInt32(at + RECORD.FLAGS, true);
    const bytesAt = at + RECORD_HEADER_BYTES;
    return {
      epochMs: view.getFloat64(at + RECORD.EPOCH_MS, true),
      direction: (flags & INBOUND) !== 0 ? DIRECTION.IN : DIRECTION.OUT,
      drop: flags & DROP_MASK,
      isAnswer: (flags & ANSWER) !== 0,
      isDatagram: (flags & DATAGRAM) !== 0,
      row: view.getInt32(at + RECORD.ROW, true),
      address: view.getInt32(at + RECORD.ADDRESS, true),
      port: view.getInt32(at + RECORD.PORT, true),
      packetBytes: view.getInt32(at + RECORD.PACKET_BYTES, true),
      bytes: Uint8Array.from(this.#bytes.subarray(bytesAt, bytesAt + view.getInt32(at + RECORD.KEPT, true))),
    };
  }
}
