/**
 * What the fast path's programs and the control plane share, as bytes: whose subnet is where, and how much went there. Addresses
 * and ports are in network order, all other numbers in the processor's, which is little-endian.
 */
import { PEER_ROWS, type PeerRow } from '../peer-table.js';

export const MOST_PEERS = PEER_ROWS;

/** Struct bpf_lpm_trie_key of an IPv4 address: the longest prefix wins, as in the loop's table. */
export const PEER_KEY_BYTES = 8;

export const PEER_BYTES = 96;
export const PEER = {
  PUBLIC_IP: 0,
  PORT: 4,
  // 64-bit numbers, which only grow.
  SENT_PACKETS: 56,
  SENT_BYTES: 64,
  RECEIVED_PACKETS: 72,
  RECEIVED_BYTES: 80,
  /** When the last packet came: nanoseconds of CLOCK_BOOTTIME, 0 for never. */
  RECEIVED_AT: 88,
} as const;

/** Of a peer, for packets to it and for packets from it: where the programs remember what went the slow way. */
export const DIRECTION = { OUT: 8, IN: 32 } as const;
/** From DIRECTION on. */
export const MEMORY = {
  /** Nanoseconds of CLOCK_MONOTONIC_COARSE, 0 for never. */
  SLOW_AT: 0,
  /** Which tick packets are counted in, and how many there were. */
  TICK: 8,
  PACKETS: 16,
} as const;

export interface FastCounters {
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  /** Milliseconds of CLOCK_BOOTTIME; 0 for never. */
  readonly receivedAtMs: number;
}

export function peerKey({ subnetBase, subnetLength }: Omit<PeerRow, 'publicIp' | 'port'>): Uint8Array {
  const key = new Uint8Array(PEER_KEY_BYTES);
  const view = new DataView(key.buffer);
  view.setUint32(0, subnetLength, true);
  view.setInt32(4, subnetBase);
  return key;
}

/** Of a peer that nothing was counted of. The loop may have packets of it at `slowAtNs`, CLOCK_MONOTONIC, which are not to be overtaken. */
export function peerValue(
  { publicIp, port }: Pick<PeerRow, 'publicIp' | 'port'>,
  slowAtNs: bigint,
): Uint8Array {
  const value = new Uint8Array(PEER_BYTES);
  const view = new DataView(value.buffer);
  for (const direction of Object.values(DIRECTION))
    view.setBigUint64(direction + MEMORY.SLOW_AT, slowAtNs, true);
  view.setInt32(PEER.PUBLIC_IP, publicIp);
  view.setUint16(PEER.PORT, port);
  return value;
}

export function countersIn(value: Uint8Array): FastCounters {
  const view = new DataView(value.buffer, value.byteOffset);
  const at = (offset: number) => Number(view.getBigUint64(offset, true));
  return {
    sentPackets: at(PEER.SENT_PACKETS),
    sentBytes: at(PEER.SENT_BYTES),
    receivedPackets: at(PEER.RECEIVED_PACKETS),
    receivedBytes: at(PEER.RECEIVED_BYTES),
    receivedAtMs: at(PEER.RECEIVED_AT) / 1e6,
  };
}
