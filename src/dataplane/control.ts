/** What the control plane and the packet loop say to each other across the thread border. Plain data. */
import type { ForwarderState } from '../model/objects.js';
import type { TapSettings } from './packet-tap.js';
import type { PeerRow } from './peer-table.js';

/** An open descriptor. The generation tells it from an earlier one that had the same number. */
export interface Handle {
  readonly fd: number;
  readonly generation: number;
}

export type Device = 'tun' | 'socket';

/** What the kernel does for many packets at once. */
export interface TunOffloads {
  /** Packets come and go behind a virtio-net header; without it there is none of the others. */
  readonly virtioHeader: boolean;
  /** TCP packets come and go as super-packets. */
  readonly tso: boolean;
  /** UDP packets too. */
  readonly uso: boolean;
}

export interface SocketOffloads {
  /** One message may be sent as many datagrams (UDP_SEGMENT). */
  readonly segment: boolean;
  /** Many datagrams may come as one message (UDP_GRO). */
  readonly gro: boolean;
}

export interface TunHandle extends Handle {
  readonly offloads: TunOffloads;
}

export interface SocketHandle extends Handle {
  readonly offloads: SocketOffloads;
}

/** Carried out in the order sent; each is answered by `done` with its id. */
export type ControlMessage =
  /** A device that is absent here stays as it is. The loop has let go of the replaced ones when it answers. */
  | {
      readonly kind: 'configure';
      readonly id: number;
      readonly state: ForwarderState;
      readonly tun?: TunHandle;
      readonly socket?: SocketHandle;
    }
  | { readonly kind: 'release'; readonly id: number; readonly device: Device }
  /** Rows to set, as encoded by `encodeRows`, then rows to empty. */
  | {
      readonly kind: 'peers';
      readonly id: number;
      readonly set: Int32Array;
      readonly remove: Int32Array;
    }
  /** Packets are shown to a capture from now on, in place of the last one; without one to none. */
  | { readonly kind: 'capture'; readonly id: number; readonly tap?: TapSettings };

export type Report =
  | { readonly kind: 'done'; readonly id: number }
  /** The loop has let go of the device: its link was deleted, or its descriptor is no good. */
  | { readonly kind: 'lost'; readonly device: Device; readonly generation: number; readonly errno: number };

/** The loop's end of the line. */
export interface ControlPort {
  /** True once the loop must end, whatever else waits. */
  isStopped(): boolean;
  /** The next message, or undefined; never blocks. */
  receive(): ControlMessage | undefined;
  post(report: Report): void;
}

export interface NumberedRow extends PeerRow {
  readonly row: number;
}

/** Five numbers a row: copying one array between threads costs a hundredth of copying as many objects. */
const ROW_NUMBERS = 5;

export function encodeRows(rows: readonly NumberedRow[]): Int32Array {
  const numbers = new Int32Array(rows.length * ROW_NUMBERS);
  rows.forEach(({ row, subnetBase, subnetLength, publicIp, port }, index) => {
    numbers.set([row, subnetBase, subnetLength, publicIp, port], index * ROW_NUMBERS);
  });
  return numbers;
}

export function decodeRows(numbers: Int32Array): NumberedRow[] {
  return Array.from({ length: numbers.length / ROW_NUMBERS }, (_, index) => {
    const [row = 0, subnetBase = 0, subnetLength = 0, publicIp = 0, port = 0] = numbers.subarray(
      index * ROW_NUMBERS,
      (index + 1) * ROW_NUMBERS,
    );
    return { row, subnetBase, subnetLength, publicIp, port };
  });
}
