/**
 * Two hosts whose TUNs and sockets are memory: what goes into one TUN comes out of the other.
 *
 *   a: 10.1.40.0/24 at 198.18.0.11        b: 10.1.63.0/24 at 198.18.0.12
 */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { DROP_REASONS } from '../../../src/dataplane/drop-reason.js';
import { MemoryHost, PEER_ROW, PORT } from '../../fakes/memory-host.js';
import { MemoryNetwork } from '../../fakes/memory-network.js';
import { DONT_FRAGMENT, ICMP, icmpOf, packetOf, readIcmp, readPacket } from '../../fakes/packets.js';

let network: MemoryNetwork;
let a: MemoryHost;
let b: MemoryHost;

beforeEach(() => {
  network = new MemoryNetwork();
  a = new MemoryHost(network, 40, '198.18.0.11');
  b = new MemoryHost(network, 63, '198.18.0.12');
  a.knows(63, '198.18.0.12');
  b.knows(40, '198.18.0.11');
});

const THERE = { source: '10.1.40.2', destination: '10.1.63.2' };
const BACK = { source: '10.1.63.2', destination: '10.1.40.2' };

test('two hosts ping each other: everything but TTL and checksum arrives as it was sent', () => {
  const request = { ...THERE, protocol: ICMP, payload: icmpOf(8), dscpAndEcn: 0xb9 };
  a.tun.outgoing.push(packetOf({ ...request, ttl: 63 }));
  a.turn();
  b.turn();
  assert.deepEqual(b.tun.received, [packetOf({ ...request, ttl: 61 })]);
  b.tun.outgoing.push(packetOf({ ...BACK, protocol: ICMP, payload: icmpOf(0) }));
  b.turn();
  a.turn();
  assert.equal(readPacket(a.tun.received[0] as Uint8Array).ttl, 62);
  assert.deepEqual([...a.drops(), ...b.drops()], []);
});

test('the datagram is the bare inner packet', () => {
  a.tun.outgoing.push(packetOf({ ...THERE, ttl: 63 }));
  a.turn();
  assert.deepEqual(b.socket.incoming[0]?.payload, packetOf({ ...THERE, ttl: 62 }));
});

test('fragments pass unchanged, also the later ones', () => {
  for (const fragment of [0x2000, 0x2010, 0x0020]) a.tun.outgoing.push(packetOf({ ...THERE, fragment }));
  a.turn();
  b.turn();
  assert.deepEqual(
    b.tun.received,
    [0x2000, 0x2010, 0x0020].map((fragment) => packetOf({ ...THERE, fragment, ttl: 62 })),
  );
});

test('counts packets and bytes in all and for each peer, and when a peer was last heard', () => {
  a.tun.outgoing.push(packetOf(THERE), packetOf({ ...THERE, payload: new Uint8Array(100) }));
  a.turn();
  b.turn();
  assert.deepEqual(a.counters.totals().sent, { packets: 2, bytes: 148 });
  assert.deepEqual(b.counters.totals().received, { packets: 2, bytes: 148 });
  const silent = { sentPackets: 0, sentBytes: 0, receivedPackets: 0, receivedBytes: 0, drops: 0 };
  assert.deepEqual(a.counters.row(PEER_ROW), { ...silent, sentPackets: 2, sentBytes: 148 });
  assert.deepEqual(b.counters.row(PEER_ROW), {
    ...silent,
    receivedPackets: 2,
    receivedBytes: 148,
    lastReceivedAt: 1_795_000_000_000,
  });
});

test('forwards more than one batch, in order', () => {
  const packets = Array.from({ length: 100 }, (_, index) => packetOf({ ...THERE, identification: index }));
  a.tun.outgoing.push(...packets);
  for (let turn = 0; turn < 10; turn++) a.turn();
  for (let turn = 0; turn < 10; turn++) b.turn();
  const order = b.tun.received.map((packet) => new DataView(packet.buffer).getUint16(4));
  assert.deepEqual(order, [...order.keys()]);
  assert.equal(order.length, 100);
});

test('a dropped packet between two good ones takes nothing with it', () => {
  a.tun.outgoing.push(
    packetOf(THERE),
    packetOf({ ...THERE, ttl: 1 }),
    packetOf({ ...THERE, identification: 9 }),
  );
  a.turn();
  b.turn();
  assert.equal(b.tun.received.length, 2);
  assert.deepEqual(a.drops(), ['ttl_expired']);
});

const THEIR_STRANGER = '203.0.113.9';
/** How to make each reason happen on host a, once. */
const DROPS: Readonly<Record<(typeof DROP_REASONS)[number], () => void>> = {
  not_ipv4: () => fromTun(Uint8Array.of(0x60, ...new Array<number>(47).fill(0))),
  malformed_short: () => fromPeer(packetOf(BACK).subarray(0, 19)),
  malformed_version: () => fromPeer(Uint8Array.of(0x60, ...new Array<number>(47).fill(0))),
  malformed_header_length: () => fromPeer(altered(0, 0x43)),
  malformed_total_length: () => fromPeer(altered(3, 200)),
  malformed_checksum: () => fromPeer(altered(10, 0x99)),
  no_route: () => fromTun(packetOf({ destination: '10.1.99.9' })),
  ttl_expired: () => fromTun(packetOf({ ...THERE, ttl: 1 })),
  oversize: () => fromPeer(packetOf({ ...BACK, payload: new Uint8Array(1453) })),
  unknown_peer: () => network.open(THEIR_STRANGER, PORT).sendTo(a.socket, packetOf(BACK)),
  reflected: () => a.socket.sendTo(a.socket, packetOf(BACK)),
  spoofed_source: () => fromPeer(packetOf({ ...BACK, source: '10.1.64.2' })),
  not_local: () => fromPeer(packetOf({ ...BACK, destination: '10.1.41.2' })),
  send_again: () => failingSend(11),
  send_no_buffers: () => failingSend(105),
  send_refused: () => failingSend(111),
  send_not_permitted: () => failingSend(1),
  send_too_big: () => failingSend(90),
  send_unreachable: () => failingSend(101),
  send_failed: () => failingSend(22),
  tun_full: () => failingWrite(11),
  tun_down: () => failingWrite(5),
  tun_failed: () => failingWrite(77),
  tun_absent: () => {
    a.forwarder.tun = undefined;
    fromPeer(packetOf(BACK));
  },
  socket_absent: () => {
    a.forwarder.socket = undefined;
    fromTun(packetOf(THERE));
  },
  answer_unsent: () => {
    a.tun.writeErrno = 5;
    fromTun(packetOf({ ...THERE, ttl: 1 }));
  },
};

function fromTun(packet: Uint8Array): void {
  a.tun.outgoing.push(packet);
}

function fromPeer(packet: Uint8Array): void {
  b.socket.sendTo(a.socket, packet);
}

function failingSend(errno: number): void {
  a.socket.sendErrno = errno;
  fromTun(packetOf(THERE));
}

function failingWrite(errno: number): void {
  a.tun.writeErrno = errno;
  fromPeer(packetOf(BACK));
}

function altered(at: number, value: number): Uint8Array {
  const packet = packetOf(BACK);
  packet[at] = value;
  return packet;
}

for (const reason of DROP_REASONS) {
  test(`drops under the reason ${reason}, once, and forwards nothing`, () => {
    DROPS[reason]();
    a.turn();
    a.turn();
    const want = reason === 'answer_unsent' ? ['ttl_expired', 'answer_unsent'] : [reason];
    assert.deepEqual(a.drops(), want);
    assert.deepEqual(a.counters.totals().sent, { packets: 0, bytes: 0 });
    assert.deepEqual(a.counters.totals().received, { packets: 0, bytes: 0 });
    assert.deepEqual(b.socket.incoming, []);
  });
}

test('tells a container in an ICMP error through the TUN that nobody has the subnet', () => {
  const lost = packetOf({ destination: '10.1.99.9', protocol: ICMP, payload: icmpOf(8) });
  fromTun(lost);
  a.turn();
  const answer = readPacket(a.tun.received[0] as Uint8Array);
  assert.equal(answer.source, '10.1.40.0');
  assert.equal(answer.destination, '10.1.40.2');
  const { type, code, quote } = readIcmp(answer);
  assert.deepEqual({ type, code, quote }, { type: 3, code: 0, quote: lost });
});

test('tells the sender on the other host over UDP that the TTL ran out, and its host lets the error in', () => {
  const dying = packetOf({ ...THERE, ttl: 2 });
  a.tun.outgoing.push(dying);
  a.turn();
  b.turn();
  assert.deepEqual(b.drops(), ['ttl_expired']);
  a.turn();
  const answer = readPacket(a.tun.received[0] as Uint8Array);
  assert.equal(answer.source, '10.1.63.0');
  assert.equal(answer.destination, '10.1.40.2');
  assert.equal(readIcmp(answer).type, 11);
  assert.deepEqual(a.drops(), []);
});

test('tells in which size a packet would have fitted', () => {
  fromTun(packetOf({ ...THERE, payload: new Uint8Array(1453), fragment: DONT_FRAGMENT }));
  a.turn();
  const { type, code, nextHopMtu } = readIcmp(readPacket(a.tun.received[0] as Uint8Array));
  assert.deepEqual({ type, code, nextHopMtu }, { type: 3, code: 4, nextHopMtu: 1472 });
});

test('sends no ICMP error about an ICMP error', () => {
  fromTun(packetOf({ destination: '10.1.99.9', protocol: ICMP, payload: icmpOf(3) }));
  a.turn();
  assert.deepEqual(a.drops(), ['no_route']);
  assert.deepEqual(a.tun.received, []);
});

test('answers a sender at most ten times in a second, and goes on counting', () => {
  for (let ms = 0; ms < 1000; ms++) {
    fromTun(packetOf({ destination: '10.1.99.9' }));
    a.turn(ms);
  }
  assert.ok(a.tun.received.length <= 10, `${a.tun.received.length} answers`);
  assert.equal(a.drops().length, 1000);
});

test('drops nothing that waits in a socket when its first receive tells of a pending error', () => {
  fromPeer(packetOf(BACK));
  a.socket.receiveErrno = 111;
  a.turn();
  a.turn();
  assert.equal(a.tun.received.length, 1);
});

test('whatever the bytes, they go to the owner of the destination or are counted as one drop', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (soup) => {
      const before = a.counters.totals().sent.packets + a.drops().filter(isNoAnswer).length;
      a.tun.outgoing.push(...soup);
      a.turn();
      assert.equal(
        a.counters.totals().sent.packets + a.drops().filter(isNoAnswer).length - before,
        soup.length,
      );
    }),
  );
});

function isNoAnswer(reason: string): boolean {
  return reason !== 'answer_unsent';
}
