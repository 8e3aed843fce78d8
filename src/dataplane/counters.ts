/**
 * The counters of the packet loop, in memory that both threads see: the loop alone writes, the control plane
 * reads whenever it likes. Doubles: exact up to 2^53, and an aligned 8-byte store is not torn on the 64-bit
 * processors that Node 20 runs on.
 */
import type { DataPlaneCounters, PeerCounters } from '../ports.js';
import { DROP_REASONS } from './drop-reason.js';
import { NO_ROW, PEER_ROWS } from './peer-table.js';

const SENT_PACKETS = 0;
const SENT_BYTES = 1;
const RECEIVED_PACKETS = 2;
const RECEIVED_BYTES = 3;
/** Of a row: drops. Of the whole: the first of one field per drop reason. */
const DROPS = 4;
const LAST_RECEIVED_AT = 5;
const ROW_FIELDS = 6;
const ROWS_AT = DROPS + 1 + DROP_REASONS.length; // DROPS + 0, "not dropped", stays zero

/** One per data plane: it outlives a worker that died, so totals never go back. */
export function countersMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((ROWS_AT + PEER_ROWS * ROW_FIELDS) * Float64Array.BYTES_PER_ELEMENT);
}

export class Counters {
  readonly #fields: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#fields = new Float64Array(memory);
  }

  // ---- the loop's side -----------------------------------------------------------------------------------

  sent(row: number, packets: number, bytes: number): void {
    this.#add(SENT_PACKETS, packets);
    this.#add(SENT_BYTES, bytes);
    const at = ROWS_AT + row * ROW_FIELDS;
    this.#add(at + SENT_PACKETS, packets);
    this.#add(at + SENT_BYTES, bytes);
  }

  /** `row` is NO_ROW when sources are not checked and the sender is unknown. */
  received(row: number, packets: number, bytes: number, nowEpochMs: number): void {
    this.#add(RECEIVED_PACKETS, packets);
    this.#add(RECEIVED_BYTES, bytes);
    if (row === NO_ROW) return;
    const at = ROWS_AT + row * ROW_FIELDS;
    this.#add(at + RECEIVED_PACKETS, packets);
    this.#add(at + RECEIVED_BYTES, bytes);
    this.#fields[at + LAST_RECEIVED_AT] = nowEpochMs;
  }

  /** `drop` is a number of DROP. */
  dropped(row: number, packets: number, drop: number): void {
    this.#add(DROPS + drop, packets);
    if (row !== NO_ROW) this.#add(ROWS_AT + row * ROW_FIELDS + DROPS, packets);
  }

  /** For a row that another subnet takes over. */
  clearRow(row: number): void {
    const at = ROWS_AT + row * ROW_FIELDS;
    this.#fields.fill(0, at, at + ROW_FIELDS);
  }

  #add(at: number, value: number): void {
    this.#fields[at] = (this.#fields[at] as number) + value;
  }

  // ---- the control plane's side --------------------------------------------------------------------------

  totals(): Omit<DataPlaneCounters, 'peers'> {
    return {
      sent: { packets: this.#at(SENT_PACKETS), bytes: this.#at(SENT_BYTES) },
      received: { packets: this.#at(RECEIVED_PACKETS), bytes: this.#at(RECEIVED_BYTES) },
      drops: Object.fromEntries(DROP_REASONS.map((reason, index) => [reason, this.#at(DROPS + index + 1)])),
    };
  }

  row(row: number): Omit<PeerCounters, 'subnet'> {
    const at = ROWS_AT + row * ROW_FIELDS;
    const lastReceivedAt = this.#at(at + LAST_RECEIVED_AT);
    return {
      sentPackets: this.#at(at + SENT_PACKETS),
      sentBytes: this.#at(at + SENT_BYTES),
      receivedPackets: this.#at(at + RECEIVED_PACKETS),
      receivedBytes: this.#at(at + RECEIVED_BYTES),
      drops: this.#at(at + DROPS),
      ...(lastReceivedAt === 0 ? {} : { lastReceivedAt }),
    };
  }

  #at(index: number): number {
    return this.#fields[index] as number;
  }
}
