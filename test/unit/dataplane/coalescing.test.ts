/** Packets of flows into the TUN: what is written together must come apart into what was sent. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { MemoryHost } from '../../fakes/memory-host.js';
import { MemoryNetwork } from '../../fakes/memory-network.js';
import { DONT_FRAGMENT, forwarded, ICMP, icmpOf, packetOf } from '../../fakes/packets.js';
import { type TcpFields, tcpOf, udpOf, udpThatSumsToZero } from '../../fakes/segments.js';

const THERE = { source: '10.1.40.2', destination: '10.1.63.2' };

let a: MemoryHost;
let b: MemoryHost;

beforeEach(() => {
  const network = new MemoryNetwork();
  a = new MemoryHost(network, 40, '198.18.0.11');
  b = new MemoryHost(network, 63, '198.18.0.12');
  a.knows(63, '198.18.0.12');
  b.knows(40, '198.18.0.11');
});

/** What host b receives when these datagrams wait at once. */
function received(...datagrams: readonly Uint8Array[]): Uint8Array[] {
  for (const datagram of datagrams) a.socket.sendTo(b.socket, datagram);
  while (b.socket.incoming.length > 0) b.turn();
  return b.tun.received.splice(0);
}

const SEGMENT = 100;

/** Segments of one flow, in sequence. */
function stream(count: number, fields: TcpFields = {}): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => segment(index, fields));
}

function segment(index: number, fields: TcpFields = {}): Uint8Array {
  return tcpOf({
    ...THERE,
    identification: 0xfff0 + index > 0xffff ? index - 16 : 0xfff0 + index,
    sequence: 0xffff_ff00 + index * SEGMENT,
    payload: new Uint8Array(SEGMENT).fill(index),
    ...fields,
  });
}

test('writes the segments of one flow as one super-packet, also where its numbers turn over', () => {
  const packets = stream(40);
  assert.deepEqual(received(...packets), packets.map(forwarded));
  assert.equal(b.tun.writes, 1);
  assert.deepEqual(b.counters.totals().received, { packets: 40, bytes: 40 * 140 });
});

test('writes the datagrams of one flow as one super-packet, the last of which may be shorter', () => {
  const packets = [64, 64, 64, 10].map((size, index) =>
    udpOf({ ...THERE, identification: index, payload: new Uint8Array(size) }),
  );
  assert.deepEqual(received(...packets), packets.map(forwarded));
  assert.equal(b.tun.writes, 1);
});

test('joins datagrams without an identification of their own, which means nothing when none may be fragmented', () => {
  const packets = Array.from({ length: 3 }, () =>
    udpOf({ ...THERE, identification: 0, fragment: DONT_FRAGMENT, payload: new Uint8Array(64) }),
  );
  assert.equal(received(...packets).length, 3);
  assert.equal(b.tun.writes, 1);
});

test('writes no more together than one IPv4 packet holds, and than older kernels take', () => {
  const big = Array.from({ length: 50 }, (_, index) =>
    tcpOf({ ...THERE, identification: index, sequence: index * 1432, payload: new Uint8Array(1432) }),
  );
  assert.equal(received(...big).length, 50);
  assert.equal(b.tun.writes, 2);
  assert.equal(received(...stream(65)).length, 65);
  assert.equal(b.tun.writes, 4);
});

test('writes each packet by itself into a TUN that takes no other', () => {
  b.tun.takes = { tcp: false, udp: false };
  const packets = [...stream(5), udpOf(THERE)];
  assert.deepEqual(received(...packets), packets.map(forwarded));
  assert.equal(b.tun.writes, 6);
});

/** Each of these differs from what would follow in the one thing named. */
const STRANGERS: readonly { readonly what: string; readonly fields: TcpFields }[] = [
  { what: 'a gap in the sequence', fields: { sequence: 7 } },
  { what: 'another acknowledgement', fields: { acknowledgement: 2 } },
  { what: 'another window', fields: { window: 513 } },
  { what: 'another TTL', fields: { ttl: 63 } },
  { what: 'another DSCP', fields: { dscpAndEcn: 0x20 } },
  { what: 'congestion experienced', fields: { dscpAndEcn: 3 } },
  { what: 'DF', fields: { fragment: DONT_FRAGMENT } },
  { what: 'a gap in the identification', fields: { identification: 77 } },
  { what: 'SYN', fields: { flags: 0x12 } },
  { what: 'RST', fields: { flags: 0x14 } },
  { what: 'URG', fields: { flags: 0x30 } },
  { what: 'ECE', fields: { flags: 0x50 } },
  { what: 'CWR', fields: { flags: 0x90 } },
  { what: 'no ACK', fields: { flags: 0 } },
  { what: 'an urgent pointer', fields: { urgentPointer: 1 } },
  { what: 'TCP options', fields: { tcpOptions: new Uint8Array(4).fill(1) } },
  { what: 'IP options', fields: { options: new Uint8Array(4).fill(1) } },
  { what: 'a longer payload', fields: { payload: new Uint8Array(101) } },
  { what: 'no payload', fields: { payload: new Uint8Array() } },
  { what: 'another port', fields: { ports: [40_001, 80] } },
];

for (const { what, fields } of STRANGERS) {
  test(`keeps a packet apart that has ${what}`, () => {
    const packets = [segment(0), segment(1), segment(2, fields)];
    assert.deepEqual(received(...packets), packets.map(forwarded));
    assert.equal(b.tun.writes, 2);
  });
}

for (const { what, flags } of [
  { what: 'PSH', flags: 0x18 },
  { what: 'FIN', flags: 0x11 },
]) {
  test(`ends a super-packet with ${what}`, () => {
    const packets = [segment(0), segment(1, { flags }), segment(2), segment(3)];
    assert.deepEqual(received(...packets), packets.map(forwarded));
    assert.equal(b.tun.writes, 2);
  });
}

for (const bad of [0, 1, 2]) {
  test(`leaves a wrong checksum for the receiver to see, in segment ${bad}`, () => {
    const packets = stream(3);
    const last = packets[bad] as Uint8Array;
    last[60] = (last[60] ?? 0) ^ 0x10;
    assert.deepEqual(received(...packets), packets.map(forwarded));
  });
}

test('keeps apart fragments, and datagrams whose length is another than the packet says', () => {
  const fragments = stream(2, { fragment: 0x2000 });
  assert.deepEqual(received(...fragments), fragments.map(forwarded));
  const long = [0, 1].map((identification) => {
    const packet = udpOf({ ...THERE, identification, payload: new Uint8Array(64) });
    const view = new DataView(packet.buffer);
    view.setUint16(24, view.getUint16(24) - 1);
    view.setUint16(26, view.getUint16(26) + 1); // the sum stays as it was
    return packet;
  });
  assert.deepEqual(received(...long), long.map(forwarded));
  assert.equal(b.tun.writes, 4);
});

test('writes more flows than the messages hold at a time', () => {
  const packets = Array.from({ length: 600 }, (_, flow) => segment(0, { ports: [10_000 + flow, 80] }));
  assert.deepEqual(received(...packets), packets.map(forwarded));
});

test('writes more packets of one flow that cannot be joined than the messages hold at a time', () => {
  const packets = Array.from({ length: 600 }, () => udpOf({ ...THERE, identification: 5 }));
  assert.deepEqual(received(...packets), packets.map(forwarded));
  assert.deepEqual(b.drops(), []);
});

test('leaves datagrams without a checksum without one', () => {
  const make = [
    (fields: TcpFields) => udpOf({ ...fields, payload: new Uint8Array(64) }),
    // Without a checksum these look as if theirs were right.
    udpThatSumsToZero,
  ];
  for (const one of make) {
    const packets = [0, 1].map((identification) => one({ ...THERE, identification }).fill(0, 26, 28));
    assert.deepEqual(received(...packets), packets.map(forwarded));
  }
  assert.equal(b.tun.writes, 4);
});

test('keeps apart what two hosts sent, and drops each by its own verdict', () => {
  const packets = stream(4);
  const spoofed = segment(1, { source: '10.1.99.9' });
  assert.equal(received(...packets.slice(0, 2), spoofed, ...packets.slice(2)).length, 4);
  assert.equal(b.tun.writes, 1);
  assert.deepEqual(b.drops(), ['spoofed_source']);
});

/** A packet of one of three flows; `jump` makes it differ from what would follow. */
const packet = fc.record({
  flow: fc.nat({ max: 2 }),
  kind: fc.constantFrom('tcp', 'tcp', 'tcp', 'udp', 'icmp', 'fragment'),
  jump: fc.constantFrom<TcpFields>(
    {},
    {},
    {},
    {},
    {},
    { flags: 0x18 },
    { window: 9 },
    { payload: new Uint8Array(7) },
  ),
  isBroken: fc.constantFrom(false, false, false, false, true),
});

test('gives each flow its own packets, unchanged and in order, however flows are mixed', () => {
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 200 }), fc.boolean(), (choices, isShuffled) => {
      const next = [0, 0, 0];
      const packets = choices.map(({ flow, kind, jump, isBroken }, index) => {
        const place = next[flow] ?? 0;
        next[flow] = place + 1;
        const number = isShuffled ? (index * 7) % 13 : place;
        const ports = [40_000 + flow, 80] as const;
        const fields = { ...THERE, identification: number, ports };
        const payload = new Uint8Array(SEGMENT).fill(index);
        const made =
          kind === 'tcp'
            ? tcpOf({ ...fields, sequence: number * SEGMENT, payload, ...jump })
            : kind === 'udp'
              ? udpOf({ ...fields, payload })
              : kind === 'icmp'
                ? packetOf({ ...fields, protocol: ICMP, payload: icmpOf(8, 0, payload) })
                : packetOf({ ...fields, protocol: 6, fragment: 0x2000, payload });
        if (isBroken) made[35] = (made[35] ?? 0) ^ 1;
        return made;
      });
      const got = received(...packets);
      assert.deepEqual(byFlow(got), byFlow(packets.map(forwarded)));
    }),
  );
});

/** Packets by protocol and ports, or what stands in their place; in order. */
function byFlow(packets: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const flows = new Map<string, Uint8Array[]>();
  for (const one of packets) {
    const isWhole = ((one[6] ?? 0) & 0x20) === 0 && one[9] !== ICMP;
    const key = `${one[9]} ${isWhole ? one.subarray(20, 24) : 'other'}`;
    flows.set(key, [...(flows.get(key) ?? []), one]);
  }
  return new Map([...flows].sort(([left], [right]) => (left < right ? -1 : 1)));
}
