/** Whole batches through the forwarder: super-packets that are cut, packets that are put together, against fakes/segments.ts. */
import assert from 'node:assert/strict';
import { MemoryHost, PORT } from '../fakes/memory-host.js';
import { MemoryNetwork } from '../fakes/memory-network.js';
import { forwarded, packetOf, sumOf } from '../fakes/packets.js';
import { cut, tcpOf, udpOf, unfinished } from '../fakes/segments.js';
import type { Chance } from './chance.js';
import { somePacket } from './packets.js';
import type { FuzzTarget } from './target.js';
import {
  addressAt,
  type ModelPeer,
  type ModelRules,
  modelFromNetwork,
  modelFromTun,
} from './verdict-model.js';

const HERE = { source: '10.1.40.2', destination: '10.1.63.2' };
const [LEFT, RIGHT] = [0xc612_000b, 0xc612_000c]; // 198.18.0.11 and .12
const [LEFT_SUBNET, RIGHT_SUBNET] = [0x0a01_2800, 0x0a01_3f00]; // 10.1.40.0 and 10.1.63.0
const VIRTIO_BYTES = 10;

const network = new MemoryNetwork();
const left = new MemoryHost(network, 40, '198.18.0.11');
const right = new MemoryHost(network, 63, '198.18.0.12');
left.knows(63, '198.18.0.12');
right.knows(40, '198.18.0.11');

function rulesOf(subnetBase: number, publicIp: number): ModelRules {
  return {
    mtu: 1472,
    subnetBase,
    subnetLength: 24,
    publicIp,
    bindAddress: publicIp,
    port: PORT,
    sourceCheck: 'strict',
  };
}

function peerAt(base: number, publicIp: number): readonly ModelPeer[] {
  return [{ base, length: 24, publicIp, port: PORT }];
}

/** A virtio-net header, then the packet. */
export const superPacketTarget: FuzzTarget = {
  name: 'super-packet',
  share: 30_000,
  make(chance) {
    const { header, packet } = someTunPacket(chance);
    const bytes = Uint8Array.from([...header, ...packet]);
    return chance.is(0.2) ? chance.spoilt(bytes) : bytes;
  },
  run(input) {
    const header = new Uint8Array(VIRTIO_BYTES);
    header.set(input.subarray(0, VIRTIO_BYTES));
    const packet = input.slice(VIRTIO_BYTES);
    left.tun.outgoing.push({ header, packet });
    left.turn();
    left.tun.received.length = 0;
    const sent = right.socket.incoming.splice(0).map(({ payload }) => payload);
    const wanted = datagramsFor(header, packet);
    assert.deepEqual(sent, wanted);
    const type = (header[1] ?? 0) & 0x7f;
    const kind = { 0: 'whole', 1: 'TCP', 5: 'UDP' }[type] ?? 'odd';
    return `${kind}, ${wanted.length > 1 ? 'several' : wanted.length} sent`;
  },
};

function someTunPacket(chance: Chance) {
  const fields = {
    ...HERE,
    identification: chance.int(0, 0xffff),
    options: chance.is(0.8) ? new Uint8Array() : chance.bytes(4 * chance.int(1, 10)),
    payload: chance.bytes(chance.int(1, 200)),
  };
  const segmentBytes = chance.pick([0, chance.int(1, 220)]);
  if (chance.is(0.2)) return { header: new Uint8Array(VIRTIO_BYTES), packet: packetOf(fields) };
  const packet = chance.is(0.5)
    ? tcpOf({
        ...fields,
        flags: chance.int(0, 255),
        sequence: chance.int(0, 2 ** 32 - 1),
        tcpOptions: chance.bytes(4 * chance.int(0, 10)),
      })
    : udpOf(fields);
  return unfinished(packet, segmentBytes);
}

/** What the kernel would have sent for it. */
function datagramsFor(header: Uint8Array, packet: Uint8Array): Uint8Array[] {
  const type = (header[1] ?? 0) & 0x7f;
  const numbers = new DataView(header.buffer);
  const segmentBytes = numbers.getUint16(4, true);
  const headerBytes = headersOf(type, packet);
  const isCuttable = headerBytes !== undefined && segmentBytes > 0 && packet.length > headerBytes;
  const largest = isCuttable ? Math.min(packet.length, headerBytes + segmentBytes) : packet.length;
  const { drop } = modelFromTun(packet, largest, rulesOf(LEFT_SUBNET, LEFT), peerAt(RIGHT_SUBNET, RIGHT));
  if (drop !== 'none') return [];
  if (type !== 0) return isCuttable ? cut(withLowerTtl(packet), headerBytes, segmentBytes) : [];
  if (((header[0] ?? 0) & 1) === 0) return [withLowerTtl(packet)];
  const [start, offset] = [numbers.getUint16(6, true), numbers.getUint16(8, true)];
  if (start < ((packet[0] ?? 0) & 0xf) * 4 || start + offset + 2 > packet.length) return [];
  const complete = packet.slice();
  const sum = sumOf(packet.subarray(start));
  new DataView(complete.buffer).setUint16(start + offset, sum === 0 ? 0xffff : sum);
  return [withLowerTtl(complete)];
}

/** Bytes of the headers of a whole TCP or UDP packet; undefined for what is none. */
function headersOf(type: number, packet: Uint8Array): number | undefined {
  const ipBytes = ((packet[0] ?? 0) & 0xf) * 4;
  const isFragment = (((packet[6] ?? 0) * 256 + (packet[7] ?? 0)) & 0x3fff) !== 0;
  const protocol = type === 1 ? 6 : type === 5 ? 17 : -1;
  if (ipBytes < 20 || isFragment || packet[9] !== protocol) return undefined;
  const transportBytes = type === 5 ? 8 : ((packet[ipBytes + 12] ?? 0) >> 4) * 4;
  const least = type === 5 ? 8 : 20;
  if (packet.length < ipBytes + least || transportBytes < least) return undefined;
  return ipBytes + transportBytes;
}

/** A wrong header checksum stays wrong by as much (RFC 1624), zero never being written as all ones: the receiver must see it. */
function withLowerTtl(packet: Uint8Array): Uint8Array {
  const lower = forwarded(packet);
  const wasRight = sumOf(packet.subarray(0, ((packet[0] ?? 0) & 0xf) * 4)) === 0;
  if (wasRight) return lower;
  const view = new DataView(lower.buffer);
  const given = (packet[10] ?? 0) * 256 + (packet[11] ?? 0);
  const raised = given + 0x100;
  view.setUint16(10, raised >= 0xffff ? raised - 0xffff : raised);
  return lower;
}

/** Packets behind their lengths, two bytes each, all received at once. */
export const coalescingTarget: FuzzTarget = {
  name: 'coalescing',
  share: 10_000,
  make(chance) {
    const packets = Array.from({ length: chance.int(1, 3) }, () => someFlow(chance)).flat();
    return Uint8Array.from(
      packets.flatMap((packet) => [packet.length >> 8, packet.length & 0xff, ...packet]),
    );
  },
  run(input) {
    const packets = unpacked(input);
    for (const packet of packets) left.socket.sendTo(right.socket, packet);
    while (right.socket.incoming.length > 0) right.turn();
    left.socket.incoming.length = 0;
    const received = right.tun.received.splice(0);
    right.tun.writes = 0;
    const rules = rulesOf(RIGHT_SUBNET, RIGHT);
    const from = { address: LEFT, port: PORT };
    const passed = packets.filter(
      (packet) => modelFromNetwork(packet, from, rules, peerAt(LEFT_SUBNET, LEFT)).drop === 'none',
    );
    // Between flows the order is free, within one it stays.
    assert.deepEqual(byFlow(received), byFlow(passed.map(forwarded)));
    return `${passed.length === packets.length ? 'all' : passed.length === 0 ? 'none' : 'some'} pass`;
  },
};

/** Consecutive packets of one flow, now and then one that does not fit in. */
function someFlow(chance: Chance): Uint8Array[] {
  const isTcp = chance.is(0.6);
  const bytes = chance.int(1, 60);
  const ports = [chance.int(1, 3), 80] as const;
  const [identification, sequence] = [chance.int(0, 0xffff), chance.int(0, 2 ** 32 - 1)];
  return Array.from({ length: chance.int(1, 6) }, (_, index) => {
    const fields = {
      ...HERE,
      ports,
      identification: (identification + index) & 0xffff,
      fragment: chance.is(0.9) ? 0x4000 : 0,
      payload: chance.bytes(chance.is(0.8) ? bytes : chance.int(0, 70)),
    };
    if (chance.is(0.1)) return somePacket(chance, LEFT_SUBNET + 2, RIGHT_SUBNET + 2);
    const flags = chance.is(0.8) ? 0x10 : chance.int(0, 255);
    const packet = isTcp
      ? tcpOf({ ...fields, flags, sequence: (sequence + index * bytes) % 2 ** 32 })
      : udpOf(fields);
    return chance.is(0.05) ? chance.spoilt(packet) : packet;
  });
}

function unpacked(input: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at + 2 <= input.length; ) {
    const length = (input[at] as number) * 256 + (input[at + 1] as number);
    packets.push(input.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return packets;
}

function byFlow(packets: readonly Uint8Array[]): ReadonlyMap<string, readonly string[]> {
  const flows = new Map<string, string[]>();
  for (const packet of packets) {
    const ipBytes = ((packet[0] ?? 0) & 0xf) * 4;
    const isWhole = (((packet[6] ?? 0) * 256 + (packet[7] ?? 0)) & 0x3fff) === 0;
    const hasPorts = (packet[9] === 6 || packet[9] === 17) && isWhole;
    const ports = hasPorts ? packet.subarray(ipBytes, ipBytes + 4) : [];
    const name = [addressAt(packet, 12), addressAt(packet, 16), packet[9], ...ports].join(' ');
    flows.set(name, [...(flows.get(name) ?? []), Buffer.from(packet).toString('hex')]);
  }
  return new Map([...flows].sort(([a], [b]) => (a < b ? -1 : 1)));
}
