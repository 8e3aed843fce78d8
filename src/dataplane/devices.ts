/** What the packet loop reads and writes: the TUN and the datagram socket, many packets at a time. */
import type { Messages } from './messages.js';
import type { PacketBatch } from './packet-batch.js';

/** Neither call blocks. Reading sets `count`; an answer below 0 is an errno, negated, that is not about one packet. */
export interface TunDevice {
  /** Which runs of packets may be written as one message behind a header that says so. */
  readonly takes: { readonly tcp: boolean; readonly udp: boolean };
  /** Fills `batch` from slot 0 with the packets that wait, each behind its virtio-net header, as far as there is room. */
  read(batch: PacketBatch): number;
  /** Writes each message, whose first piece is a virtio-net header, and sets its errno. */
  write(messages: Messages): void;
}

export interface DatagramDevice {
  /** How many datagrams one message may hold. */
  readonly mostDatagrams: number;
  /** Fills `batch` from slot 0 with the datagrams that wait, as far as there is room. */
  receive(batch: PacketBatch): number;
  /** Sends each message, and sets its errno. */
  send(messages: Messages): void;
}
