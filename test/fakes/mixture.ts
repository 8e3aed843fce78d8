/** Packets of all kinds, as containers send them to each other. */
import { DONT_FRAGMENT, ICMP, icmpOf, type PacketFields, packetOf } from './packets.js';
import { type TcpFields, tcpOf, udpOf } from './segments.js';

const FLOWS = 3;
export const MOST_PACKETS = 60;

export type Way = Required<Pick<PacketFields, 'source' | 'destination'>>;

/** Packets of a few flows, mostly in sequence; now and then one differs in something, is missing or comes too late. */
export function mixture(random: () => number, way: Way): Uint8Array[] {
  const one = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)] as T;
  const segmentBytes = one(1, 2, 99, 100, 536, 1000, 1001);
  const numbers = Array.from({ length: FLOWS }, () => Math.floor(random() * 3));
  const start = one(0, 0xfff0, 0x7fff);
  const packets = Array.from({ length: 20 + Math.floor(random() * (MOST_PACKETS - 20)) }, () => {
    const flow = Math.floor(random() * FLOWS);
    const number = numbers[flow] ?? 0;
    numbers[flow] = number + (random() < 0.05 ? 2 : 1);
    const fields: TcpFields = {
      ...way,
      identification: (start + number) & 0xffff,
      fragment: flow === 0 ? DONT_FRAGMENT : 0,
      ports: [40_000 + flow, 80],
      sequence: (0xffff_f000 + number * segmentBytes) >>> 0,
      payload: Uint8Array.from({ length: segmentBytes }, () => Math.floor(random() * 256)),
      ...(random() < 0.8 ? {} : one<TcpFields>(...ODDITIES)),
    };
    const make = one(tcpOf, tcpOf, tcpOf, flow === 1 ? udpOf : tcpOf);
    const packet = make(fields);
    // A wrong checksum is the receiver's to find.
    if (random() < 0.03) packet[packet.length - 1] = (packet.at(-1) ?? 0) ^ 1;
    return packet;
  });
  packets.push(packetOf({ ...way, protocol: ICMP, payload: icmpOf(8) }));
  if (random() < 0.3) packets.reverse();
  return packets;
}

const ODDITIES: readonly TcpFields[] = [
  ...[0x18, 0x11, 0x19, 0x30, 0x50, 0x90, 0xd0, 0x12, 0x14, 0].map((flags) => ({ flags })),
  { dscpAndEcn: 3 },
  { dscpAndEcn: 0xb9 },
  { ttl: 7 },
  { window: 9 },
  { acknowledgement: 9 },
  { urgentPointer: 1 },
  { tcpOptions: Uint8Array.from([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]) },
  { payload: new Uint8Array() },
  { payload: new Uint8Array(7) },
  { identification: 0 },
  { fragment: 0x2000 },
];
