/** A packet that the packet loop was watched with, and what became of it. */
import type { Address, Prefix } from './address.js';

/** `out`: from this host's containers to the peers; `in`: from the peers to the containers. */
export type PacketDirection = 'out' | 'in';

/** Which packets are wanted. */
export interface CaptureQuestion {
  /** The most that is kept of each. */
  readonly snapBytes: number;
  readonly direction?: PacketDirection;
  /** The public address of the peer that it goes to or comes from. */
  readonly peer?: Address;
  /** `forwarded`, `dropped`, or a reason of dropping. */
  readonly verdict?: string;
}

export interface CapturedPacket {
  /** Milliseconds since the epoch, with a fraction. */
  readonly atMs: number;
  readonly direction: PacketDirection;
  /** Why it was dropped; absent when it was forwarded. */
  readonly drop?: string;
  /** An ICMP error by which this host itself tells a sender what became of a packet. */
  readonly isAnswer: boolean;
  /** The other host; absent where no peer is concerned. */
  readonly peer?: { readonly address: Address; readonly port: number; readonly subnet?: Prefix };
  /** It came as a datagram, or was to go as one. */
  readonly isDatagram: boolean;
  /** Of the inner packet, which `bytes` may hold less of. */
  readonly lengthBytes: number;
  readonly bytes: Uint8Array;
}

/** What became of it, for people: `to peer 4.0.32.0/24 at 10.8.65.53:8285`, `dropped: no_route`. */
export function verdictText({ direction, drop, isAnswer, peer }: CapturedPacket): string {
  const preposition = direction === 'out' ? 'to' : 'from';
  const where = peer && `${peer.address}:${peer.port}`;
  const named = peer?.subnet === undefined ? where : `peer ${peer.subnet} at ${where}`;
  const answer = isAnswer ? "this host's own ICMP error" : undefined;
  const subject = named && `${preposition} ${named}`;
  const told = [answer, subject].filter((part) => part !== undefined).join(' ');
  if (drop !== undefined) return `dropped: ${drop}${told && `, ${told}`}`;
  return told || (direction === 'out' ? 'sent' : 'received from no peer');
}
