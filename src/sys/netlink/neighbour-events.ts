/**
 * Tells the neighbours and forwarding entries of some devices from those of all others: a bridge with containers has
 * events of each of them again and again, and whoever woke on those would read its own lists all day.
 */
import type { Buffer } from 'node:buffer';
import * as rt from 'netlink/dist/rt/structs.js';
import { HEADER_LENGTH, parseHeader } from 'netlink/dist/structs.js';
import { parseLink } from './answers.js';
import { NetlinkChannel } from './channel.js';
import { linkByNumber } from './requests.js';
import { NETLINK_ROUTE, NetlinkSocket } from './socket.js';

const { MessageType } = rt;

/** Whether an event that starts so concerns somebody; `lost` are those of an overrun, any of which might have. */
export type EventFilter = (start: Buffer | 'lost') => boolean;

/** Asks in the network namespace of the thread that made it. */
export class NeighbourEvents {
  readonly #devices: () => readonly string[];
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);
  readonly #channel = new NetlinkChannel(this.#socket);
  /** By number; undefined for a link that is gone, of which its own event has told. */
  readonly #names = new Map<number, string | undefined>();

  constructor(devices: () => readonly string[]) {
    this.#devices = devices;
  }

  /**
   * False for a neighbour on none of the devices. Reads struct ndmsg, nothing behind it. To be told of the events of links
   * too: with those names change.
   */
  readonly concerns: EventFilter = (start) => {
    const type = start === 'lost' ? undefined : parseHeader(start).x.type;
    if (start === 'lost' || type === MessageType.NEWLINK || type === MessageType.DELLINK) this.#names.clear();
    if (start === 'lost' || (type !== MessageType.NEWNEIGH && type !== MessageType.DELNEIGH)) return true;
    const { ifindex } = rt.parseNeighbor(start.subarray(HEADER_LENGTH, HEADER_LENGTH + rt.__LENGTH_Neighbor));
    try {
      const name = this.#nameOf(ifindex ?? 0);
      return name !== undefined && this.#devices().includes(name);
    } catch {
      return true; // Better woken in vain than not at all.
    }
  };

  close(): void {
    this.#socket.close();
  }

  #nameOf(number: number): string | undefined {
    if (!this.#names.has(number)) {
      const answer = this.#channel.get(linkByNumber(number));
      this.#names.set(number, 'errno' in answer ? undefined : parseLink(answer)?.name);
    }
    return this.#names.get(number);
  }
}
