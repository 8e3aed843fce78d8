/** Which packets a capture wants, as numbers that are compared for each packet. */
import type { CaptureQuestion } from '../model/captured-packet.js';
import { ipv4Key } from '../wire/ipv4.js';
import { DROP, DROP_REASONS } from './drop-reason.js';

export const DIRECTION = { OUT: 0, IN: 1 } as const;
export type Direction = (typeof DIRECTION)[keyof typeof DIRECTION];

export interface CaptureFilter {
  readonly snapBytes: number;
  /** Both where undefined. */
  readonly direction: Direction | undefined;
  /** The other end's address; all where undefined. */
  readonly address: number | undefined;
  /** Numbers of DROP, 0 for what is forwarded. */
  readonly leastDrop: number;
  readonly mostDrop: number;
}

/** Reasons of packets that can be shown: without a TUN or a socket there is nothing that a capture could look at. */
const SHOWN_REASONS = DROP_REASONS.filter((reason) => reason !== 'tun_absent' && reason !== 'socket_absent');

/** Throws RangeError for a verdict that there is not, and for an IPv6 address. */
export function captureFilterOf({ snapBytes, direction, peer, verdict }: CaptureQuestion): CaptureFilter {
  const [leastDrop, mostDrop] = drops(verdict);
  return {
    snapBytes,
    direction: direction && (direction === 'out' ? DIRECTION.OUT : DIRECTION.IN),
    address: peer && ipv4Key(peer),
    leastDrop,
    mostDrop,
  };
}

function drops(verdict: string | undefined): readonly [least: number, most: number] {
  switch (verdict) {
    case undefined:
      return [0, DROP_REASONS.length];
    case 'forwarded':
      return [0, 0];
    case 'dropped':
      return [1, DROP_REASONS.length];
    default: {
      const reason = SHOWN_REASONS.find((each) => each === verdict);
      if (reason === undefined) {
        const all = ['forwarded', 'dropped', ...SHOWN_REASONS].join(', ');
        throw new RangeError(`verdict is ${JSON.stringify(verdict)}, must be one of ${all}`);
      }
      return [DROP[reason], DROP[reason]];
    }
  }
}
