/**
 * The control plane's book of the loop's peer table: which row each subnet has, and which rows the loop has
 * confirmed. A row is free again only once the loop has confirmed that it emptied it.
 */
import { baseOf, lengthOf, type Prefix } from '../model/address.js';
import type { PeerState } from '../model/objects.js';
import { TrackedList } from '../model/tracked-list.js';
import { ipv4Key } from '../wire/ipv4.js';
import { encodeRows, type NumberedRow } from './control.js';
import { PEER_ROWS } from './peer-table.js';

/** One message's worth: small enough that packets do not wait for it. */
const ROWS_PER_MESSAGE = 1024;

export interface PeerChange {
  readonly set: readonly PeerState[];
  readonly remove: readonly Prefix[];
}

/** To be sent to the loop as it stands; `confirm` is called when the loop has obeyed. */
export interface RowsMessage {
  readonly set: Int32Array;
  readonly remove: Int32Array;
  confirm(): void;
}

export class PeerRows {
  /** As the loop was told. */
  readonly #rowOf = new Map<Prefix, number>();
  /** As the loop confirmed. */
  #confirmed = TrackedList.empty<PeerState>();
  readonly #confirmedRow = new Map<Prefix, number>();
  readonly #confirmedSubnet = new Map<number, Prefix>();
  readonly #free: number[] = [];
  #unused = 0;

  confirmed(): readonly PeerState[] {
    return this.#confirmed.list;
  }

  confirmedRows(): readonly { readonly subnet: Prefix; readonly row: number }[] {
    return this.#confirmed.list.map(({ subnet }) => ({
      subnet,
      row: this.#confirmedRow.get(subnet) as number,
    }));
  }

  /** As the loop confirmed; undefined for a row that is empty by now. */
  subnetOf(row: number): Prefix | undefined {
    return this.#confirmedSubnet.get(row);
  }

  /** Whether `change` fits into the table. */
  hasRoomFor({ set }: PeerChange): boolean {
    const newcomers = new Set(set.map(({ subnet }) => subnet).filter((subnet) => !this.#rowOf.has(subnet)));
    return newcomers.size <= this.#free.length + PEER_ROWS - this.#unused;
  }

  /** Books `change` and returns it as messages: every set before every removal. Throws RangeError, having booked nothing, for IPv6. */
  messages({ set, remove }: PeerChange): readonly RowsMessage[] {
    for (const { subnet, publicIp } of set) {
      ipv4Key(baseOf(subnet));
      ipv4Key(publicIp);
    }
    const messages = slices(set).map((peers) => this.#setMessage(peers));
    // A subnet named twice must not free its row twice.
    const known = [...new Set(remove)].filter((subnet) => this.#rowOf.has(subnet));
    return [...messages, ...slices(known).map((subnets) => this.#removeMessage(subnets))];
  }

  #setMessage(peers: readonly PeerState[]): RowsMessage {
    const placed = peers.map((peer) => ({ row: this.#rowFor(peer.subnet), peer }));
    return {
      set: encodeRows(placed.map(({ row, peer }) => numbered(row, peer))),
      remove: new Int32Array(),
      confirm: () => {
        for (const { row, peer } of placed) {
          this.#confirmedRow.set(peer.subnet, row);
          this.#confirmedSubnet.set(row, peer.subnet);
        }
        this.#confirmed = this.#confirmed.edited(peers.map((peer) => [peer.subnet, peer]));
      },
    };
  }

  #removeMessage(subnets: readonly Prefix[]): RowsMessage {
    const rows = subnets.map((subnet) => this.#rowOf.get(subnet) as number);
    for (const subnet of subnets) this.#rowOf.delete(subnet);
    return {
      set: new Int32Array(),
      remove: Int32Array.from(rows),
      confirm: () => {
        for (const subnet of subnets) this.#confirmedRow.delete(subnet);
        for (const row of rows) this.#confirmedSubnet.delete(row);
        this.#confirmed = this.#confirmed.edited(subnets.map((subnet) => [subnet, undefined]));
        this.#free.push(...rows);
      },
    };
  }

  #rowFor(subnet: Prefix): number {
    const row = this.#rowOf.get(subnet) ?? this.#free.pop() ?? this.#unused++;
    this.#rowOf.set(subnet, row);
    return row;
  }
}

function numbered(row: number, { subnet, publicIp, port }: PeerState): NumberedRow {
  return {
    row,
    subnetBase: ipv4Key(baseOf(subnet)),
    subnetLength: lengthOf(subnet),
    publicIp: ipv4Key(publicIp),
    port,
  };
}

function slices<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / ROWS_PER_MESSAGE);
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * ROWS_PER_MESSAGE, (index + 1) * ROWS_PER_MESSAGE),
  );
}
