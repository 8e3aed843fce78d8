/**
 * Which packets go where, told slowly: from the text of docs/architecture.md and the RFCs, with numbers that have no sign
 * and a list that is searched from end to end.
 */
import { DONT_FRAGMENT, sumOf } from '../fakes/packets.js';

export interface ModelPeer {
  readonly base: number;
  readonly length: number;
  readonly publicIp: number;
  readonly port: number;
}

export interface ModelRules {
  readonly mtu: number;
  readonly subnetBase: number;
  readonly subnetLength: number;
  readonly publicIp: number;
  readonly bindAddress: number;
  readonly port: number;
  readonly sourceCheck: 'strict' | 'peer' | 'off';
}

export interface ModelVerdict {
  /** `none` when it is forwarded. */
  readonly drop: string;
  readonly answer: 'NONE' | 'NET_UNREACHABLE' | 'TIME_EXCEEDED' | 'FRAGMENTATION_NEEDED';
  /** The address of the peer concerned; undefined for none. */
  readonly peer: number | undefined;
}

export function isIn(address: number, base: number, length: number): boolean {
  const size = 2 ** (32 - length);
  return Math.floor(address / size) === Math.floor(base / size);
}

export function modelFromTun(
  packet: Uint8Array,
  largestBytes: number,
  rules: ModelRules,
  peers: readonly ModelPeer[],
): ModelVerdict {
  const malformed = fault(packet);
  if (malformed !== undefined)
    return dropped(malformed === 'malformed_version' ? 'not_ipv4' : malformed, undefined);
  const peer = holderOf(addressAt(packet, 16), peers);
  if (peer === undefined) return { drop: 'no_route', answer: 'NET_UNREACHABLE', peer: undefined };
  return carried(packet, largestBytes, rules, peer.publicIp);
}

export function modelFromNetwork(
  packet: Uint8Array,
  from: { readonly address: number; readonly port: number },
  rules: ModelRules,
  peers: readonly ModelPeer[],
): ModelVerdict {
  const { address, port } = from;
  if (port === rules.port && (address === rules.publicIp || address === rules.bindAddress))
    return dropped('reflected', undefined);
  const isPeer = peers.some((peer) => peer.publicIp === address && peer.port === port);
  if (!isPeer && rules.sourceCheck !== 'off') return dropped('unknown_peer', undefined);
  const sender = isPeer ? address : undefined;
  const malformed = fault(packet);
  if (malformed !== undefined) return dropped(malformed, sender);
  if (sumOf(packet.subarray(0, ((packet[0] ?? 0) % 16) * 4)) !== 0)
    return dropped('malformed_checksum', sender);
  const source = addressAt(packet, 12);
  const owner = holderOf(source, peers);
  const isSenders = owner?.publicIp === address && owner.port === port;
  const isKnown = owner !== undefined || peers.some(({ publicIp }) => publicIp === source);
  const isAllowed = { strict: isSenders || source === address, peer: isKnown, off: true }[rules.sourceCheck];
  if (!isAllowed) return dropped('spoofed_source', sender);
  if (!isIn(addressAt(packet, 16), rules.subnetBase, rules.subnetLength)) return dropped('not_local', sender);
  return carried(packet, packet.length, rules, sender);
}

function carried(
  packet: Uint8Array,
  bytes: number,
  rules: ModelRules,
  peer: number | undefined,
): ModelVerdict {
  if ((packet[8] ?? 0) < 2) return { drop: 'ttl_expired', answer: 'TIME_EXCEEDED', peer };
  const mayBeCut = ((packet[6] ?? 0) * 256 + (packet[7] ?? 0)) % (2 * DONT_FRAGMENT) < DONT_FRAGMENT;
  if (bytes > rules.mtu)
    return { drop: 'oversize', answer: mayBeCut ? 'NONE' : 'FRAGMENTATION_NEEDED', peer };
  return { drop: 'none', answer: 'NONE', peer };
}

function fault(packet: Uint8Array): string | undefined {
  const [first = 0x40] = packet;
  if (packet.length > 0 && Math.floor(first / 16) !== 4) return 'malformed_version';
  if (packet.length < 20) return 'malformed_short';
  const headerBytes = (first % 16) * 4;
  if (headerBytes < 20 || headerBytes > packet.length) return 'malformed_header_length';
  return (packet[2] ?? 0) * 256 + (packet[3] ?? 0) === packet.length ? undefined : 'malformed_total_length';
}

function dropped(drop: string, peer: number | undefined): ModelVerdict {
  return { drop, answer: 'NONE', peer };
}

function holderOf(address: number, peers: readonly ModelPeer[]): ModelPeer | undefined {
  return peers
    .filter(({ base, length }) => isIn(address, base, length))
    .reduce<ModelPeer | undefined>(
      (best, peer) => (best && best.length >= peer.length ? best : peer),
      undefined,
    );
}

export function addressAt(packet: Uint8Array, at: number): number {
  return [0, 1, 2, 3].reduce((number, offset) => number * 256 + (packet[at + offset] ?? 0), 0);
}
