/** Inner packets of every sort, most of them nearly right. */
import { addressFromBits } from '../../src/model/address.js';
import { ICMP, icmpOf, packetOf, sumOf } from '../fakes/packets.js';
import { tcpOf, udpOf } from '../fakes/segments.js';
import type { Chance } from './chance.js';

const FRAGMENTS = [0, 0, 0, 0x4000, 0x2000, 0x2010, 0x0020, 0x1fff, 0x8000, 0xffff];
const TTLS = [64, 64, 64, 2, 1, 0, 255];

/** Addresses at and around the borders of what the targets use. */
export function someAddress(chance: Chance, bases: readonly number[]): number {
  if (chance.is(0.05)) return chance.int(0, 0xffff_ffff);
  const base = chance.pick(bases);
  return (base + chance.pick([0, 1, 2, 254, 255, 256, -1, chance.int(0, 255)])) >>> 0;
}

export function somePacket(chance: Chance, source: number, destination: number): Uint8Array {
  const fields = {
    source: addressFromBits('ipv4', BigInt(source)),
    destination: addressFromBits('ipv4', BigInt(destination)),
    ttl: chance.pick(TTLS),
    fragment: chance.pick(FRAGMENTS),
    dscpAndEcn: chance.int(0, 255),
    identification: chance.int(0, 0xffff),
    options: chance.is(0.8) ? new Uint8Array() : chance.bytes(4 * chance.int(1, 10)),
    payload: chance.bytes(chance.pick([0, 1, 8, 40, chance.int(0, 120)])),
  };
  const packet = ofProtocol(chance, fields);
  return chance.is(0.3) ? chance.spoilt(packet) : packet;
}

/**
 * Many packets at little cost: a packet made before, with other addresses and another TTL. Its header checksum is right
 * when it was, its transport checksum is not.
 */
export class PacketPool {
  readonly #packets: readonly Uint8Array[];

  constructor(chance: Chance, packets: number) {
    this.#packets = Array.from({ length: packets }, () => somePacket(chance, 0, 0));
  }

  take(chance: Chance, source: number, destination: number): Uint8Array {
    const packet = chance.pick(this.#packets).slice();
    const headerBytes = ((packet[0] ?? 0) & 0xf) * 4;
    if (headerBytes < 20 || headerBytes > packet.length) return packet;
    const view = new DataView(packet.buffer);
    const wasRight = sumOf(packet.subarray(0, headerBytes)) === 0;
    view.setUint32(12, source);
    view.setUint32(16, destination);
    if (chance.is(0.3)) packet[8] = chance.pick(TTLS);
    if (wasRight) {
      view.setUint16(10, 0);
      view.setUint16(10, sumOf(packet.subarray(0, headerBytes)));
    }
    return packet;
  }
}

function ofProtocol(
  chance: Chance,
  fields: Parameters<typeof packetOf>[0] & { payload: Uint8Array },
): Uint8Array {
  switch (chance.int(0, 3)) {
    case 0:
      return tcpOf({ ...fields, flags: chance.int(0, 255), sequence: chance.int(0, 2 ** 32 - 1) });
    case 1:
      return udpOf(fields);
    case 2:
      return packetOf({ ...fields, protocol: ICMP, payload: icmpOf(chance.pick([0, 3, 8, 11])) });
    default:
      return packetOf({ ...fields, protocol: chance.int(0, 255) });
  }
}
