import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DROP_REASONS } from '../../../src/dataplane/drop-reason.js';
import { NO_ROW, PEER_ROWS, PeerTable } from '../../../src/dataplane/peer-table.js';
import type { Rules } from '../../../src/dataplane/rules.js';
import {
  ANSWER,
  answerOf,
  dropOf,
  rowOf,
  type Verdict,
  verdictFromNetwork,
  verdictFromTun,
} from '../../../src/dataplane/verdict.js';
import { parseAddress } from '../../../src/model/address.js';
import type { SourceCheck } from '../../../src/model/config.js';
import { ipv4Key } from '../../../src/wire/ipv4.js';
import { DONT_FRAGMENT, packetOf, readPacket } from '../../fakes/packets.js';

const key = (address: string) => ipv4Key(parseAddress(address));
const RULES: Rules = {
  mtu: 1472,
  tunAddress: key('10.1.40.0'),
  subnetBase: key('10.1.40.0'),
  subnetMask: key('255.255.255.0'),
  publicIp: key('198.18.0.11'),
  bindAddress: key('192.168.7.11'),
  port: 8285,
  sourceCheck: 'strict',
};
const B = 0;
const C = PEER_ROWS - 1;
const B_OTHER = 2;
const PEERS = new PeerTable();
PEERS.set(B, row('10.1.63.0', '198.18.0.12'));
PEERS.set(C, row('10.1.64.0', '198.18.0.13'));
PEERS.set(B_OTHER, row('10.1.65.0', '198.18.0.12'));

function row(subnet: string, publicIp: string) {
  return { subnetBase: key(subnet), subnetLength: 24, publicIp: key(publicIp), port: 8285 };
}

function read(verdict: Verdict) {
  const answers = Object.entries(ANSWER).filter(([, number]) => number === answerOf(verdict));
  return {
    row: rowOf(verdict),
    drop: DROP_REASONS[dropOf(verdict) - 1] ?? 'none',
    answer: answers[0]?.[0] ?? '?',
  };
}

const big = new Uint8Array(1453);
const cut = (packet: Uint8Array, bytes: number) => packet.subarray(0, bytes);
function altered(at: number, value: number): Uint8Array {
  const packet = packetOf({ source: '10.1.63.2', destination: '10.1.40.2' });
  packet[at] = value;
  return packet;
}

const FROM_TUN = [
  { name: 'to a peer', packet: packetOf(), row: B },
  { name: 'to the peer in the last row', packet: packetOf({ destination: '10.1.64.9' }), row: C },
  { name: 'full MTU', packet: packetOf({ payload: big.subarray(1) }), row: B },
  { name: 'TTL 2', packet: packetOf({ ttl: 2 }), row: B },
  { name: 'with options', packet: packetOf({ options: new Uint8Array(40) }), row: B },
  { name: 'a later fragment', packet: packetOf({ fragment: 100 }), row: B },
  { name: 'from a foreign source: the peer decides', packet: packetOf({ source: '192.0.2.1' }), row: B },
  { name: 'nothing', packet: new Uint8Array(), drop: 'malformed_short' },
  { name: '19 bytes', packet: cut(packetOf(), 19), drop: 'malformed_short' },
  { name: 'IPv6', packet: Uint8Array.from([0x60, ...new Array<number>(39).fill(0)]), drop: 'not_ipv4' },
  { name: 'one byte of IPv6', packet: Uint8Array.of(0x60), drop: 'not_ipv4' },
  { name: 'IHL 4', packet: altered(0, 0x44), drop: 'malformed_header_length' },
  { name: 'IHL beyond the packet', packet: altered(0, 0x4f), drop: 'malformed_header_length' },
  { name: 'total length too small', packet: altered(3, 27), drop: 'malformed_total_length' },
  { name: 'total length too large', packet: altered(3, 29), drop: 'malformed_total_length' },
  {
    name: 'no peer',
    packet: packetOf({ destination: '10.1.99.1' }),
    drop: 'no_route',
    answer: 'NET_UNREACHABLE',
  },
  {
    name: "a peer's public address",
    packet: packetOf({ destination: '198.18.0.12' }),
    drop: 'no_route',
    answer: 'NET_UNREACHABLE',
  },
  { name: 'TTL 1', packet: packetOf({ ttl: 1 }), row: B, drop: 'ttl_expired', answer: 'TIME_EXCEEDED' },
  { name: 'TTL 0', packet: packetOf({ ttl: 0 }), row: B, drop: 'ttl_expired', answer: 'TIME_EXCEEDED' },
  { name: 'one byte too long', packet: packetOf({ payload: big }), row: B, drop: 'oversize' },
  {
    name: 'one byte too long, not to be fragmented',
    packet: packetOf({ payload: big, fragment: DONT_FRAGMENT }),
    row: B,
    drop: 'oversize',
    answer: 'FRAGMENTATION_NEEDED',
  },
];

for (const { name, packet, row = NO_ROW, drop = 'none', answer = 'NONE' } of FROM_TUN) {
  test(`out of the TUN: ${name} → ${drop}`, () => {
    assert.deepEqual(read(verdictFromTun(packet, 0, packet.length, packet.length, RULES, PEERS)), {
      row,
      drop,
      answer,
    });
  });
}

interface Arrival {
  readonly name: string;
  readonly packet?: Uint8Array;
  readonly source?: string;
  readonly destination?: string;
  readonly from?: string;
  readonly port?: number;
  readonly check?: SourceCheck;
  readonly row?: number;
  readonly drop?: string;
  readonly answer?: string;
}

const FROM_NETWORK: readonly Arrival[] = [
  { name: 'from a peer', row: B },
  { name: "from a peer's other subnet", source: '10.1.65.2', row: B_OTHER },
  { name: "from a peer's own public address", source: '198.18.0.12', row: B_OTHER },
  { name: 'to our TUN address', destination: '10.1.40.0', row: B },
  { name: 'DSCP and ECN set', packet: packetOf({ ...inner(), dscpAndEcn: 0xff }), row: B },
  { name: 'a stranger', from: '203.0.113.9', drop: 'unknown_peer' },
  { name: "a peer's address, another port", port: 40_000, drop: 'unknown_peer' },
  { name: "a stranger's nonsense", from: '203.0.113.9', packet: new Uint8Array(), drop: 'unknown_peer' },
  { name: 'our public address', from: '198.18.0.11', drop: 'reflected' },
  { name: 'our bound address', from: '192.168.7.11', drop: 'reflected' },
  { name: 'our address, no check at all', from: '198.18.0.11', check: 'off', drop: 'reflected' },
  { name: 'nothing', packet: new Uint8Array(), row: B_OTHER, drop: 'malformed_short' },
  { name: '19 bytes', packet: cut(packetOf(), 19), row: B_OTHER, drop: 'malformed_short' },
  { name: 'IPv6', packet: altered(0, 0x65), row: B_OTHER, drop: 'malformed_version' },
  { name: 'IHL 4', packet: altered(0, 0x44), row: B_OTHER, drop: 'malformed_header_length' },
  { name: 'IHL beyond the packet', packet: altered(0, 0x4f), row: B_OTHER, drop: 'malformed_header_length' },
  { name: 'total length too small', packet: altered(3, 27), row: B_OTHER, drop: 'malformed_total_length' },
  { name: 'total length too large', packet: altered(3, 29), row: B_OTHER, drop: 'malformed_total_length' },
  { name: 'a bad checksum', packet: altered(10, 0x77), row: B_OTHER, drop: 'malformed_checksum' },
  { name: "another peer's source", source: '10.1.64.2', row: B_OTHER, drop: 'spoofed_source' },
  { name: "another peer's public address", source: '198.18.0.13', row: B_OTHER, drop: 'spoofed_source' },
  { name: "a source of nobody's", source: '192.0.2.1', row: B_OTHER, drop: 'spoofed_source' },
  { name: 'our own source', source: '10.1.40.7', row: B_OTHER, drop: 'spoofed_source' },
  { name: 'to another subnet', destination: '10.1.64.2', row: B, drop: 'not_local' },
  { name: 'to our public address', destination: '198.18.0.11', row: B, drop: 'not_local' },
  {
    name: 'TTL 1',
    packet: packetOf({ ...inner(), ttl: 1 }),
    row: B,
    drop: 'ttl_expired',
    answer: 'TIME_EXCEEDED',
  },
  {
    name: 'TTL 0',
    packet: packetOf({ ...inner(), ttl: 0 }),
    row: B,
    drop: 'ttl_expired',
    answer: 'TIME_EXCEEDED',
  },
  { name: 'one byte too long', packet: packetOf({ ...inner(), payload: big }), row: B, drop: 'oversize' },
  {
    name: 'one byte too long, not to be fragmented',
    packet: packetOf({ ...inner(), payload: big, fragment: DONT_FRAGMENT }),
    row: B,
    drop: 'oversize',
    answer: 'FRAGMENTATION_NEEDED',
  },
  { name: "peer: another peer's source", check: 'peer', source: '10.1.64.2', row: B_OTHER },
  { name: "peer: another peer's public address", check: 'peer', source: '198.18.0.13', row: B_OTHER },
  { name: 'peer: our own source', check: 'peer', source: '10.1.40.7', row: B_OTHER, drop: 'spoofed_source' },
  { name: 'peer: a stranger', check: 'peer', from: '203.0.113.9', drop: 'unknown_peer' },
  { name: 'off: a stranger', check: 'off', from: '203.0.113.9', source: '192.0.2.1' },
  { name: 'off: a known peer', check: 'off', source: '192.0.2.1', row: B_OTHER },
  { name: 'off: to another subnet', check: 'off', destination: '10.1.64.2', row: B, drop: 'not_local' },
  { name: 'off: nonsense', check: 'off', packet: new Uint8Array(7), row: B_OTHER, drop: 'malformed_version' },
];

function inner() {
  return { source: '10.1.63.2', destination: '10.1.40.2' };
}

for (const arrival of FROM_NETWORK) {
  const { row = NO_ROW, drop = 'none', answer = 'NONE' } = arrival;
  test(`from the network: ${arrival.name} → ${drop}`, () => {
    const { source = '10.1.63.2', destination = '10.1.40.2', from = '198.18.0.12', port = 8285 } = arrival;
    const packet = arrival.packet ?? packetOf({ source, destination });
    const rules = { ...RULES, sourceCheck: arrival.check ?? 'strict' };
    const verdict = verdictFromNetwork(packet, 0, packet.length, key(from), port, rules, PEERS);
    assert.deepEqual(read(verdict), { row, drop, answer });
  });
}

const soup = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.tuple(fc.nat(99), fc.nat(255), fc.nat(60)).map(([at, value, bytes]) => {
    const packet = packetOf({ ...inner(), payload: new Uint8Array(40) });
    packet[at] = value;
    return packet.subarray(0, bytes + 1);
  }),
);

test('looks at nothing beyond the packet, changes nothing in it, and never throws', () => {
  fc.assert(
    fc.property(soup, fc.constantFrom<SourceCheck>('strict', 'peer', 'off'), (bytes, sourceCheck) => {
      const rules = { ...RULES, sourceCheck };
      const verdicts = [0x00, 0xff].map((fill) => {
        const slot = new Uint8Array(2048).fill(fill);
        slot.set(bytes);
        const before = slot.slice();
        const both = [
          verdictFromTun(slot, 0, bytes.length, bytes.length, rules, PEERS),
          verdictFromNetwork(slot, 0, bytes.length, key('198.18.0.12'), 8285, rules, PEERS),
        ];
        assert.deepEqual(slot, before);
        return both;
      });
      assert.deepEqual(verdicts[0], verdicts[1]);
    }),
    { numRuns: 3000 },
  );
});

test('what is accepted from the network is one whole packet from the peer to us', () => {
  fc.assert(
    fc.property(soup, (bytes) => {
      const verdict = verdictFromNetwork(bytes, 0, bytes.length, key('198.18.0.12'), 8285, RULES, PEERS);
      if (dropOf(verdict) !== 0) return;
      const { source, destination } = readPacket(bytes);
      assert.match(source, /^(10\.1\.6[35]\.\d+|198\.18\.0\.12)$/);
      assert.match(destination, /^10\.1\.40\.\d+$/);
    }),
    { numRuns: 3000 },
  );
});
