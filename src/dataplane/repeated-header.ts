/**
 * Tells when a datagram begins with the same IPv4 header as the one before, but for what differs between packets of one
 * flow: then it goes where that one went, without being judged anew. Of a flow's packets that are nearly all.
 */
import { folded } from '../wire/checksum.js';
import { IPV4, IPV4_HEADER_BYTES } from '../wire/ipv4.js';
import type { PacketMemory } from './packet-memory.js';

const WITHOUT_OPTIONS = 0x45;

export class RepeatedHeader {
  readonly #memory: PacketMemory;
  /** Of the datagram before, or 0 when there is none: as long as no header is. */
  #length = 0;
  #sender = 0;
  #port = 0;
  /** Version, DSCP and total length; flags and fragment; TTL and protocol; the addresses. In whatever byte order. */
  #beginning = 0;
  #fragment = 0;
  #ttl = 0;
  #source = 0;
  #destination = 0;
  /** Of the identification and the checksum: as long as nothing else differs, it is the same in a header that is right. */
  #sum = 0;

  constructor(memory: PacketMemory) {
    this.#memory = memory;
  }

  /** The next datagram repeats nothing. To be called when what is decided may have changed. */
  forget(): void {
    this.#length = 0;
  }

  /** Keeps the header of a datagram that was let through, as it came. */
  keep(at: number, length: number, sender: number, port: number): void {
    const { view } = this.#memory;
    this.#length = view.getUint8(at) === WITHOUT_OPTIONS ? length : 0;
    this.#sender = sender;
    this.#port = port;
    this.#beginning = view.getInt32(at, true);
    this.#fragment = view.getUint16(at + IPV4.FLAGS_AND_FRAGMENT, true);
    this.#ttl = view.getUint16(at + IPV4.TTL, true);
    this.#source = view.getInt32(at + IPV4.SOURCE, true);
    this.#destination = view.getInt32(at + IPV4.DESTINATION, true);
    this.#sum = this.#sumAt(at);
  }

  /** Whether the `length` bytes from `at` begin with the header that was kept, and come from the same sender. */
  repeats(at: number, length: number, sender: number, port: number): boolean {
    if (length !== this.#length || length < IPV4_HEADER_BYTES) return false;
    const { view } = this.#memory;
    return (
      sender === this.#sender &&
      port === this.#port &&
      view.getInt32(at, true) === this.#beginning &&
      view.getUint16(at + IPV4.FLAGS_AND_FRAGMENT, true) === this.#fragment &&
      view.getUint16(at + IPV4.TTL, true) === this.#ttl &&
      view.getInt32(at + IPV4.SOURCE, true) === this.#source &&
      view.getInt32(at + IPV4.DESTINATION, true) === this.#destination &&
      this.#sumAt(at) === this.#sum
    );
  }

  #sumAt(at: number): number {
    const { view } = this.#memory;
    return folded(view.getUint16(at + IPV4.IDENTIFICATION) + view.getUint16(at + IPV4.HEADER_CHECKSUM));
  }
}
