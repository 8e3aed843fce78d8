/** Captured packets as a pcapng file: the inner packets, the datagrams around them, or both, each as an interface of its own. */
import { type CapturedPacket, verdictText } from '../../model/captured-packet.js';
import { interfaceBlock, packetBlock, sectionBlock, statisticsBlock } from '../../wire/pcapng.js';
import { DATAGRAM_HEADER_BYTES, udpDatagram } from '../../wire/udp-datagram.js';
import type { CaptureBegun } from './capture-desk.js';

export const CAPTURE_LAYERS = ['inner', 'outer', 'both'] as const;
export type CaptureLayers = (typeof CAPTURE_LAYERS)[number];
type Layer = Exclude<CaptureLayers, 'both'>;

export interface CaptureFileOptions {
  readonly version: string;
  readonly begun: CaptureBegun;
  readonly layers: CaptureLayers;
  /** Of an inner packet. */
  readonly snapBytes: number;
  readonly startMs: number;
}

export class CaptureFile {
  readonly #options: CaptureFileOptions;
  readonly #layers: readonly Layer[];
  readonly #written = { inner: 0, outer: 0 };

  constructor(options: CaptureFileOptions) {
    this.#options = options;
    this.#layers = options.layers === 'both' ? ['inner', 'outer'] : [options.layers];
  }

  /** Whether a packet has anything to show in it: one that was dropped on its way out never was a datagram. */
  shows({ isDatagram }: CapturedPacket): boolean {
    return isDatagram || this.#layers.includes('inner');
  }

  beginning(): readonly Uint8Array[] {
    const { version, begun, snapBytes } = this.#options;
    const { address, port } = begun.local;
    // One for all: libpcap reads no file whose interfaces differ in it.
    const mostBytes = snapBytes + DATAGRAM_HEADER_BYTES;
    const described = {
      inner: { name: begun.tun, description: 'packets of the containers', snapBytes: mostBytes },
      outer: {
        name: `${begun.tun} outer`,
        description: `datagrams of ${address}:${port}; their TTL and identification are not known`,
        snapBytes: mostBytes,
      },
    };
    return [
      sectionBlock(`flannelette ${version}`),
      ...this.#layers.map((layer) => interfaceBlock(described[layer])),
    ];
  }

  packet(packet: CapturedPacket): readonly Uint8Array[] {
    return this.#layers.flatMap((layer, interfaceNumber) => {
      const seen = layer === 'inner' ? packet : this.#wrapped(packet);
      if (seen === undefined) return [];
      this.#written[layer]++;
      return [packetBlock({ ...seen, interfaceNumber, comment: verdictText(packet) })];
    });
  }

  #wrapped(packet: CapturedPacket): CapturedPacket | undefined {
    const { peer, direction, bytes, lengthBytes, isDatagram } = packet;
    if (!isDatagram || peer === undefined) return undefined;
    const { local } = this.#options.begun;
    const [from, to] = direction === 'out' ? [local, peer] : [peer, local];
    return {
      ...packet,
      lengthBytes: lengthBytes + DATAGRAM_HEADER_BYTES,
      bytes: udpDatagram(from, to, bytes, lengthBytes),
    };
  }

  /** `missed`: packets that were left out because they came too fast. */
  end(endMs: number, missed: number): readonly Uint8Array[] {
    const { startMs } = this.#options;
    return this.#layers.map((layer, interfaceNumber) =>
      statisticsBlock({
        interfaceNumber,
        startMs,
        endMs,
        received: this.#written[layer] + missed,
        dropped: missed,
      }),
    );
  }
}
