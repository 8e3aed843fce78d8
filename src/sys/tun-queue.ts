/**
 * A queue of a TUN, over koffi, on a descriptor that somebody else opens and closes. Nothing here throws, retries
 * or allocates for a packet: a failed call is an errno.
 */
import koffi from 'koffi';
import type { TunOffloads } from '../dataplane/control.js';
import type { TunDevice } from '../dataplane/devices.js';
import type { Messages } from '../dataplane/messages.js';
import { HEADROOM_BYTES, MOST_PACKET_BYTES, type PacketBatch } from '../dataplane/packet-batch.js';
import { VIRTIO_NET_HEADER_BYTES, writePlainHeader } from '../wire/virtio-net.js';
import { endOfBatch } from './end-of-batch.js';
import { argumentOf, Gather, Origin } from './gather.js';

const libc = koffi.load('libc.so.6');
// koffi has no ssize_t; intptr_t is as wide, and comes as a number when it fits.
const readv = libc.func('intptr_t readv(int fd, uintptr_t vectors, int count)');
const writev = libc.func('intptr_t writev(int fd, uintptr_t vectors, int count)');

export class TunQueue implements TunDevice {
  readonly takes: TunDevice['takes'];
  readonly #fd: number;
  readonly #headerBytes: number;
  readonly #gather = new Gather();
  /** Where the next packet goes: one struct iovec. Its address as an argument of read(2) would be another one for each packet. */
  readonly #place = new Uint32Array(4);
  readonly #placeArgument = argumentOf(this.#place);
  #origin: Origin | undefined;

  constructor(fd: number, offloads: TunOffloads) {
    this.#fd = fd;
    this.#headerBytes = offloads.virtioHeader ? VIRTIO_NET_HEADER_BYTES : 0;
    this.#place[2] = this.#headerBytes + MOST_PACKET_BYTES;
    this.takes = { tcp: offloads.tso, udp: offloads.uso };
  }

  read(batch: PacketBatch): number {
    if (this.#origin?.memory !== batch.bytes) this.#origin = new Origin(batch.bytes);
    const origin = this.#origin;
    const headerBytes = this.#headerBytes;
    batch.count = 0;
    let at = batch.from + HEADROOM_BYTES;
    while (batch.count < batch.capacity && at + MOST_PACKET_BYTES <= batch.to) {
      if (headerBytes === 0) writePlainHeader(batch.bytes, at - VIRTIO_NET_HEADER_BYTES);
      origin.write(this.#place, 0, at - headerBytes);
      const bytes = (readv(this.#fd, this.#placeArgument, 1) as number) - headerBytes;
      if (bytes < 0) return endOfBatch(batch);
      batch.at[batch.count] = at;
      batch.lengths[batch.count++] = bytes;
      // A round number: payloads are added up faster when they begin at one.
      at += HEADROOM_BYTES + Math.ceil(bytes / HEADROOM_BYTES) * HEADROOM_BYTES;
    }
    return batch.count;
  }

  write(messages: Messages): void {
    // The first piece is the virtio-net header.
    const skipped = this.#headerBytes === 0 ? 1 : 0;
    let piece = 0;
    for (let message = 0; message < messages.count; message++) {
      const end = messages.pieceEnds[message] as number;
      const count = this.#gather.fill(messages, piece + skipped, end);
      const failed = writev(this.#fd, this.#gather.argument, count) < 0;
      messages.errnos[message] = failed ? koffi.errno() : 0;
      piece = end;
    }
  }
}
