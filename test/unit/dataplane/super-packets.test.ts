/** Super-packets out of the TUN, against a slow reference that builds each packet anew. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { MemoryHost } from '../../fakes/memory-host.js';
import { MemoryNetwork } from '../../fakes/memory-network.js';
import { DONT_FRAGMENT, forwarded, readIcmp, readPacket } from '../../fakes/packets.js';
import { cut, tcpOf, udpOf, udpThatSumsToZero, unfinished } from '../../fakes/segments.js';

const THERE = { source: '10.1.40.2', destination: '10.1.63.2' };
const FIN_PSH_ACK = 0x19;
const CWR_ACK = 0x90;

let a: MemoryHost;
let b: MemoryHost;

beforeEach(() => {
  const network = new MemoryNetwork();
  a = new MemoryHost(network, 40, '198.18.0.11');
  b = new MemoryHost(network, 63, '198.18.0.12');
  a.knows(63, '198.18.0.12');
  b.knows(40, '198.18.0.11');
});

/** The datagrams that host a sends for what its TUN hands over. */
function sent(...outgoing: typeof a.tun.outgoing): Uint8Array[] {
  a.tun.outgoing.push(...outgoing);
  while (a.tun.outgoing.length > 0) a.turn();
  return b.socket.incoming.splice(0).map(({ payload }) => payload);
}

const words = (most: number) =>
  fc.uint8Array({ maxLength: most * 4 }).map((bytes) => bytes.slice(0, bytes.length & ~3));
const fields = fc.record({
  options: words(10),
  identification: fc.integer({ min: 0, max: 0xffff }),
  dscpAndEcn: fc.integer({ min: 0, max: 0xff }),
  ttl: fc.integer({ min: 2, max: 255 }),
  fragment: fc.constantFrom(0, DONT_FRAGMENT),
});
const tcpFields = fc.record({
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  acknowledgement: fc.integer({ min: 0, max: 0xffff_ffff }),
  flags: fc.integer({ min: 0, max: 0xff }),
  window: fc.integer({ min: 0, max: 0xffff }),
  urgentPointer: fc.integer({ min: 0, max: 0xffff }),
  tcpOptions: words(10),
});
/** Payloads of up to five segments, the last of any size. */
const sizes = fc.record({
  segmentBytes: fc.integer({ min: 1, max: 1352 }),
  segments: fc.integer({ min: 1, max: 5 }),
  rest: fc.nat(),
  seed: fc.nat(),
});

function payloadOf({
  segmentBytes,
  segments,
  rest,
  seed,
}: typeof sizes extends fc.Arbitrary<infer T> ? T : never) {
  const length = segmentBytes * (segments - 1) + 1 + (rest % segmentBytes);
  return Uint8Array.from({ length }, (_, index) => ((index + seed) * 167) >> 3);
}

test('cuts a TCP super-packet into the packets that the kernel would make', () => {
  fc.assert(
    fc.property(fields, tcpFields, sizes, (ip, tcp, size) => {
      const whole = tcpOf({ ...THERE, ...ip, ...tcp, payload: payloadOf(size) });
      const headerBytes = 20 + ip.options.length + 20 + tcp.tcpOptions.length;
      const want = cut(forwarded(whole), headerBytes, size.segmentBytes);
      assert.deepEqual(sent(unfinished(whole, size.segmentBytes)), want);
    }),
  );
});

test('cuts a UDP super-packet into the packets that the kernel would make', () => {
  fc.assert(
    fc.property(fields, sizes, (ip, size) => {
      const whole = udpOf({ ...THERE, ...ip, payload: payloadOf(size) });
      const want = cut(forwarded(whole), 20 + ip.options.length + 8, size.segmentBytes);
      assert.deepEqual(sent(unfinished(whole, size.segmentBytes)), want);
    }),
  );
});

test('completes the checksum of a packet that is sent whole', () => {
  fc.assert(
    fc.property(fields, fc.uint8Array({ maxLength: 1300 }), fc.boolean(), (ip, payload, isTcp) => {
      const whole = isTcp ? tcpOf({ ...THERE, ...ip, payload }) : udpOf({ ...THERE, ...ip, payload });
      assert.deepEqual(sent(unfinished(whole)), [forwarded(whole)]);
    }),
  );
});

test('writes a UDP checksum of zero as all ones, because zero means none', () => {
  const whole = udpThatSumsToZero(THERE);
  assert.deepEqual([...whole.subarray(26, 28)], [0xff, 0xff]);
  const packets = sent(unfinished(whole), unfinished(whole, 100));
  assert.deepEqual(packets, [forwarded(whole), forwarded(whole)]);
});

test('says FIN and PSH with the last packet, CWR with the first, as the reference does', () => {
  const flagsOf = (packets: readonly Uint8Array[]) => packets.map((packet) => packet[33]);
  const payload = new Uint8Array(300);
  assert.deepEqual(
    flagsOf(sent(unfinished(tcpOf({ ...THERE, flags: FIN_PSH_ACK, payload }), 100))),
    [0x10, 0x10, 0x19],
  );
  assert.deepEqual(
    flagsOf(sent(unfinished(tcpOf({ ...THERE, flags: CWR_ACK, payload }), 100))),
    [0x90, 0x10, 0x10],
  );
});

test('sends the packets of super-packets that follow each other in as few messages as they fit into', () => {
  const payload = new Uint8Array(45 * 1420);
  const one = unfinished(tcpOf({ ...THERE, tcpOptions: new Uint8Array(12), payload }), 1420);
  assert.equal(sent(one, one, one).length, 135);
  // 44 packets of 1,472 bytes fit into 65,507.
  assert.equal(a.socket.sends, 4);
  assert.deepEqual(a.counters.totals().sent, { packets: 135, bytes: 135 * 1472 });
});

test('cuts into more packets than the messages hold at a time', () => {
  const whole = tcpOf({ ...THERE, payload: Uint8Array.from({ length: 5000 }, (_, index) => index * 7) });
  assert.deepEqual(sent(unfinished(whole, 1)), cut(forwarded(whole), 40, 1));
  assert.deepEqual(a.counters.totals().sent, { packets: 5000, bytes: 5000 * 41 });
});

test('sends one datagram a message to a socket that takes no more', () => {
  a.socket.mostDatagrams = 1;
  const whole = tcpOf({ ...THERE, payload: new Uint8Array(5000) });
  assert.deepEqual(sent(unfinished(whole, 1400)), cut(forwarded(whole), 40, 1400));
  assert.equal(a.socket.sends, 4);
});

test('sends more datagrams by themselves than the messages hold at a time', () => {
  a.socket.mostDatagrams = 1;
  const whole = tcpOf({ ...THERE, payload: new Uint8Array(600) });
  assert.deepEqual(sent(unfinished(whole, 1)), cut(forwarded(whole), 40, 1));
  assert.deepEqual(a.drops(), []);
});

test('sends a run of small packets to one peer in one message, a shorter one only at its end', () => {
  const sizes = [64, 64, 64, 20, 64, 64, 65, 65];
  const packets = sizes.map((size, index) =>
    udpOf({ ...THERE, identification: index, payload: new Uint8Array(size) }),
  );
  assert.deepEqual(sent(...packets), packets.map(forwarded));
  assert.equal(a.socket.sends, 3);
});

test('holds nothing back: a lone packet goes at once', () => {
  assert.equal(sent(udpOf(THERE)).length, 1);
});

test('judges a super-packet by the packets that it will be cut into', () => {
  const whole = tcpOf({ ...THERE, fragment: DONT_FRAGMENT, payload: new Uint8Array(20_000) });
  assert.equal(sent(unfinished(whole, 1432)).length, 14);
  assert.equal(sent(unfinished(whole, 1433)).length, 0);
  assert.deepEqual(a.drops(), new Array<string>(14).fill('oversize'));
  const { type, code, nextHopMtu } = readIcmp(readPacket(a.tun.received[0] as Uint8Array));
  assert.deepEqual({ type, code, nextHopMtu }, { type: 3, code: 4, nextHopMtu: 1472 });
});

test('lets the packets of one super-packet fail and count together', () => {
  a.socket.sendErrno = 105;
  assert.equal(sent(unfinished(tcpOf({ ...THERE, payload: new Uint8Array(3000) }), 1000)).length, 0);
  assert.deepEqual(a.drops(), new Array<string>(3).fill('send_no_buffers'));
});

test('drops what is no packet of the kind that its header says', () => {
  const whole = tcpOf({ ...THERE, payload: new Uint8Array(3000) });
  const noSize = unfinished(whole, 1000);
  noSize.header.fill(0, 4, 6);
  const udpSaid = unfinished(whole, 1000);
  udpSaid.header[1] = 5;
  const unknown = unfinished(whole, 1000);
  unknown.header[1] = 4;
  const checksumOutside = unfinished(tcpOf(THERE));
  checksumOutside.header[8] = 200;
  const fragment = unfinished(tcpOf({ ...THERE, fragment: 0x2000, payload: new Uint8Array(3000) }), 1000);
  assert.deepEqual(sent(udpSaid, unknown, checksumOutside, noSize, fragment), []);
  const reasons = new Set(a.drops());
  assert.deepEqual(reasons, new Set(['malformed_header_length', 'oversize']));
  assert.equal(a.drops().length, 5);
});

test('survives any bytes behind any header, and sends nothing that is no packet', () => {
  const header = fc.uint8Array({ minLength: 10, maxLength: 10 });
  const start = fc.constantFrom([0x45], [0x4f], []);
  fc.assert(
    fc.property(header, start, fc.uint8Array({ maxLength: 120 }), (bytes, first, rest) => {
      const packet = Uint8Array.from([...first, ...rest]);
      if (packet.length > 3) new DataView(packet.buffer).setUint16(2, packet.length);
      packet.set([10, 1, 63, 2].slice(0, Math.max(0, packet.length - 16)), Math.min(16, packet.length));
      for (const datagram of sent({ header: bytes, packet })) {
        assert.equal(new DataView(datagram.buffer).getUint16(2), datagram.length);
      }
    }),
    { numRuns: 1000 },
  );
});
