/** One packet on the underlay, as tcpdump -XX prints it: the bytes of its dump, and what they say. */
import { IPV4, IPV4_HEADER_BYTES } from '../../src/wire/ipv4.js';

const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
const UDP_DESTINATION_PORT = 2;
const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP' };

export interface IpSummary {
  readonly protocol: string;
  readonly source: string;
  readonly destination: string;
}

export interface TunnelledPacket {
  readonly outer: IpSummary;
  readonly udpDestinationPort: number;
  readonly inner: IpSummary;
}

/** Expects Ethernet, IPv4 without options and UDP around a bare IPv4 packet; throws when the dump is too short for that. */
export function readTunnelledPacket(dump: readonly string[]): TunnelledPacket {
  const bytes = bytesOf(dump);
  const udpAt = ETHERNET_BYTES + IPV4_HEADER_BYTES;
  const innerAt = udpAt + UDP_BYTES;
  if (bytes.length < innerAt + IPV4_HEADER_BYTES) {
    throw new RangeError(`Cannot read the packet: ${bytes.length} bytes, too few for a packet in a packet`);
  }
  const view = new DataView(bytes.buffer);
  return {
    outer: summary(bytes.subarray(ETHERNET_BYTES)),
    udpDestinationPort: view.getUint16(udpAt + UDP_DESTINATION_PORT),
    inner: summary(bytes.subarray(innerAt)),
  };
}

/** Lines such as `0x0010:  0054 63c3 4000 4011 ...  .Tc.@.@.`. */
function bytesOf(dump: readonly string[]): Uint8Array<ArrayBuffer> {
  const hex = dump.flatMap((line) => /^\s*0x[0-9a-f]+:\s+((?:[0-9a-f]{2,4} ?)+)/.exec(line)?.[1] ?? []);
  const pairs = hex.join('').replaceAll(' ', '').match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

function summary(packet: Uint8Array): IpSummary {
  const protocol = packet[IPV4.PROTOCOL] ?? 0;
  return {
    protocol: PROTOCOL_NAMES[protocol] ?? `protocol ${protocol}`,
    source: packet.subarray(IPV4.SOURCE, IPV4.SOURCE + 4).join('.'),
    destination: packet.subarray(IPV4.DESTINATION, IPV4.DESTINATION + 4).join('.'),
  };
}
