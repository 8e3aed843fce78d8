/** A record of the packet loop as the control plane tells it. */
import { type Address, addressFromBits } from '../model/address.js';
import type { CapturedPacket } from '../model/captured-packet.js';
import { DIRECTION } from './capture-filter.js';
import type { CaptureRecord } from './capture-ring.js';
import { DROP_REASONS } from './drop-reason.js';
import type { PeerRows } from './peer-rows.js';

export function capturedPacket(
  record: CaptureRecord & { readonly bytes: Uint8Array },
  rows: PeerRows,
): CapturedPacket {
  const { drop, row, address, port } = record;
  const subnet = rows.subnetOf(row);
  const reason = DROP_REASONS[drop - 1];
  return {
    atMs: record.epochMs,
    direction: record.direction === DIRECTION.IN ? 'in' : 'out',
    ...(reason !== undefined && { drop: reason }),
    isAnswer: record.isAnswer,
    ...(port !== 0 && { peer: { address: addressOf(address), port, ...(subnet && { subnet }) } }),
    isDatagram: record.isDatagram,
    lengthBytes: record.packetBytes,
    bytes: record.bytes,
  };
}

function addressOf(key: number): Address {
  return addressFromBits('ipv4', BigInt(key >>> 0));
}
