/** Captured packets as the daemon tells them on its socket: JSON, the bytes in base64. */
import type { CapturedPacket } from '../../model/captured-packet.js';
import { base64Of, bytesOfBase64 } from '../../wire/base64.js';

export interface CaptureReply {
  readonly packets: readonly CapturedPacket[];
  /** Packets that were left out. */
  readonly missed: number;
}

export function encodeCaptureReply({ packets, missed }: CaptureReply): string {
  const told = packets.map((packet) => ({ ...packet, bytes: base64Of(packet.bytes) }));
  return JSON.stringify({ packets: told, missed });
}

/** Of a daemon's own words: not checked again. */
export function decodeCaptureReply(text: string): CaptureReply {
  const { packets, missed } = JSON.parse(text) as {
    readonly packets: readonly (Omit<CapturedPacket, 'bytes'> & { readonly bytes: string })[];
    readonly missed: number;
  };
  return {
    packets: packets.map((packet) => ({
      ...packet,
      bytes: bytesOfBase64(packet.bytes),
    })),
    missed,
  };
}
