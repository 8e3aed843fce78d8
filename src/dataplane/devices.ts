/**
 * What the packet loop reads and writes: the TUN and the datagram socket, a batch of packets at a time. The
 * batch is the unit so that one system call may come to carry many packets (recvmmsg, UDP_SEGMENT, virtio-net
 * super-packets) without the forwarder knowing.
 */

/** A slot holds any IPv4 packet, so a datagram is never cut: what is too long is seen to be. */
const MOST_PACKET_BYTES = 65_535;
// Not a power of two: at a stride of 65,536 all packets' headers would fall into the same few cache lines.
const SLOT_BYTES = 65_536 + 1_088;

/**
 * Packets in memory that is made once and used again. Slot i is `slots[i]`, of which `lengths[i]` bytes count;
 * its view is as long as the longest packet. Whoever fills a batch overwrites all of it.
 */
export class PacketBatch {
  readonly slots: readonly Uint8Array[];
  readonly lengths: Int32Array;
  /** The other end of each datagram: filled by `receive`, read by `send`. */
  readonly addresses: Int32Array;
  readonly ports: Uint16Array;
  /** The errno of each packet's `write` or `send`; 0 when it went out. */
  readonly errnos: Int32Array;
  /** How many slots are in use. */
  count = 0;

  constructor(readonly capacity: number) {
    const memory = new ArrayBuffer(capacity * SLOT_BYTES);
    this.slots = Array.from(
      { length: capacity },
      (_, index) => new Uint8Array(memory, index * SLOT_BYTES, MOST_PACKET_BYTES),
    );
    this.lengths = new Int32Array(capacity);
    this.addresses = new Int32Array(capacity);
    this.ports = new Uint16Array(capacity);
    this.errnos = new Int32Array(capacity);
  }
}

/** Neither call blocks. Reading sets `count`; an answer below 0 is an errno, negated, that is not about one packet. */
export interface TunDevice {
  /** Fills `batch` from slot 0 with the packets that wait, at most its capacity. */
  read(batch: PacketBatch): number;
  /** Writes each slot whose length is above 0, and sets every slot's errno. */
  write(batch: PacketBatch): void;
}

export interface DatagramDevice {
  /** Fills `batch` from slot 0 with the datagrams that wait, at most its capacity. */
  receive(batch: PacketBatch): number;
  /** Sends each slot whose length is above 0, and sets every slot's errno. */
  send(batch: PacketBatch): void;
}
