/**
 * Which peer holds which subnet, and which peer an outer address is. Changed row by row, so that one changed
 * lease costs the same among a hundred peers and among ten thousand.
 *
 * - A look-up allocates nothing and reads one Map per prefix length in use: usually one.
 * - The longest prefix wins.
 * - Several rows may share a public address: a host that took a new subnet while its old lease still lives.
 * - Addresses are signed 32-bit integers (wire/ipv4.ts), rows are numbers below PEER_ROWS, -1 is none.
 */
import { ipv4Mask } from '../wire/ipv4.js';

export const PEER_ROWS = 65_536;
export const NO_ROW = -1;

export interface PeerRow {
  readonly subnetBase: number;
  readonly subnetLength: number;
  readonly publicIp: number;
  readonly port: number;
}

const UNUSED = -1;

interface LengthIndex {
  readonly length: number;
  readonly mask: number;
  readonly rowOf: Map<number, number>;
}

export class PeerTable {
  readonly #base = new Int32Array(PEER_ROWS);
  readonly #length = new Int8Array(PEER_ROWS).fill(UNUSED);
  readonly #publicIp = new Int32Array(PEER_ROWS);
  readonly #port = new Uint16Array(PEER_ROWS);
  /** The next row with the same public address. */
  readonly #next = new Int32Array(PEER_ROWS);
  readonly #firstOfAddress = new Map<number, number>();
  /** Longest prefix first; lengths without a row are not in it. */
  #lengths: readonly LengthIndex[] = [];

  /** Takes over whatever the row held before. A subnet must not be set in two rows. */
  set(row: number, { subnetBase, subnetLength, publicIp, port }: PeerRow): void {
    this.remove(row);
    this.#base[row] = subnetBase;
    this.#length[row] = subnetLength;
    this.#publicIp[row] = publicIp;
    this.#port[row] = port;
    this.#indexOf(subnetLength).rowOf.set(subnetBase, row);
    this.#next[row] = this.#firstOfAddress.get(publicIp) ?? NO_ROW;
    this.#firstOfAddress.set(publicIp, row);
  }

  /** Whether the row is this subnet's, wherever the subnet may be. */
  holds(row: number, { subnetBase, subnetLength }: PeerRow): boolean {
    return this.#length[row] === subnetLength && this.#base[row] === subnetBase;
  }

  /** Removed already is success. */
  remove(row: number): void {
    const length = this.#length[row] as number;
    if (length === UNUSED) return;
    this.#length[row] = UNUSED;
    const { rowOf } = this.#indexOf(length);
    rowOf.delete(this.#base[row] as number);
    if (rowOf.size === 0) this.#lengths = this.#lengths.filter((index) => index.length !== length);
    this.#unlink(row);
  }

  /** The row whose subnet holds `address`. */
  find(address: number): number {
    const lengths = this.#lengths;
    for (let next = 0; next < lengths.length; next++) {
      const { mask, rowOf } = lengths[next] as LengthIndex;
      const row = rowOf.get(address & mask);
      if (row !== undefined) return row;
    }
    return NO_ROW;
  }

  /** The row, any of several, of the peer that sends from this outer address and port. */
  findSender(address: number, port: number): number {
    let row = this.#firstOfAddress.get(address) ?? NO_ROW;
    while (row !== NO_ROW && this.#port[row] !== port) row = this.#next[row] as number;
    return row;
  }

  isPublicIp(address: number): boolean {
    return this.#firstOfAddress.has(address);
  }

  publicIp(row: number): number {
    return this.#publicIp[row] as number;
  }

  port(row: number): number {
    return this.#port[row] as number;
  }

  #indexOf(length: number): LengthIndex {
    const known = this.#lengths.find((index) => index.length === length);
    if (known !== undefined) return known;
    const index: LengthIndex = { length, mask: ipv4Mask(length), rowOf: new Map() };
    this.#lengths = [...this.#lengths, index].sort((left, right) => right.length - left.length);
    return index;
  }

  #unlink(row: number): void {
    const address = this.#publicIp[row] as number;
    const after = this.#next[row] as number;
    let before = this.#firstOfAddress.get(address) as number;
    if (before === row) {
      if (after === NO_ROW) this.#firstOfAddress.delete(address);
      else this.#firstOfAddress.set(address, after);
      return;
    }
    while (this.#next[before] !== row) before = this.#next[before] as number;
    this.#next[before] = after;
  }
}
