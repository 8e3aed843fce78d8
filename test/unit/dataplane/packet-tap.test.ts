/** What a capture is shown of two hosts whose TUNs and sockets are memory: see forwarder.test.ts. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { captureFilterOf } from '../../../src/dataplane/capture-filter.js';
import { CaptureRing, captureMemory } from '../../../src/dataplane/capture-ring.js';
import { capturedPacket } from '../../../src/dataplane/captured.js';
import { PeerRows } from '../../../src/dataplane/peer-rows.js';
import { parseAddress } from '../../../src/model/address.js';
import { type CaptureQuestion, verdictText } from '../../../src/model/captured-packet.js';
import { MemoryHost } from '../../fakes/memory-host.js';
import { MemoryNetwork } from '../../fakes/memory-network.js';
import { forwarded, packetOf, readPacket } from '../../fakes/packets.js';

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
const NOWHERE = { source: '10.1.40.2', destination: '10.1.99.2' };

/** From now on; returns what was shown since it was asked last. */
function captured(host: MemoryHost, question: Partial<CaptureQuestion> = {}) {
  const memory = captureMemory();
  host.forwarder.showTo({ memory, filter: captureFilterOf({ snapBytes: 65_535, ...question }) });
  const ring = new CaptureRing(memory);
  const rows = new PeerRows();
  return () => ring.take().map((record) => capturedPacket(record, rows));
}

const verdicts = (packets: ReturnType<ReturnType<typeof captured>>) => packets.map(verdictText);

test('what is forwarded is shown once on each host, as it left: with the TTL that it has then', () => {
  const [ofA, ofB] = [captured(a), captured(b)];
  const packet = packetOf(THERE);
  a.tun.outgoing.push(packet);
  a.turn();
  b.turn();
  const [sent, ...moreSent] = ofA();
  const [received, ...moreReceived] = ofB();
  assert.deepEqual([moreSent, moreReceived], [[], []]);
  assert.deepEqual(sent?.bytes, forwarded(packet));
  assert.deepEqual(received?.bytes, forwarded(forwarded(packet)));
  assert.deepEqual(verdicts([sent, received].filter((each) => each !== undefined)), [
    'to 198.18.0.12:8285',
    'from 198.18.0.11:8285',
  ]);
  assert.equal(sent?.atMs, 1_795_000_000_000);
  assert.deepEqual(b.tun.received, [forwarded(forwarded(packet))], 'and nothing else is done to it');
});

test('what is dropped by its verdict is shown as it came, and the answer to it too', () => {
  const shown = captured(a);
  const lost = packetOf(NOWHERE);
  a.tun.outgoing.push(lost, packetOf({ ...THERE, ttl: 1 }));
  a.turn();
  const packets = shown();
  assert.deepEqual(verdicts(packets), [
    'dropped: no_route',
    'dropped: ttl_expired, to 198.18.0.12:8285',
    "this host's own ICMP error",
    "this host's own ICMP error",
  ]);
  assert.deepEqual(packets[0]?.bytes, lost);
  assert.deepEqual(
    packets.map(({ isDatagram }) => isDatagram),
    [false, false, false, false],
  );
  assert.equal(readPacket(packets[2]?.bytes ?? new Uint8Array()).destination, '10.1.40.2');
});

test('a stranger is named by where it is, and a peer that is not who it says too', () => {
  const shown = captured(b);
  network.open('203.0.113.9', 9).sendTo(b.socket, packetOf(THERE));
  a.socket.sendTo(b.socket, packetOf({ ...THERE, source: '10.1.7.7' }));
  b.turn();
  assert.deepEqual(verdicts(shown()), [
    'dropped: unknown_peer, from 203.0.113.9:9',
    'dropped: spoofed_source, from 198.18.0.11:8285',
  ]);
});

test('what the kernel refuses to send or to take is dropped with its reason, and not forwarded', () => {
  const [ofA, ofB] = [captured(a), captured(b)];
  a.tun.outgoing.push(packetOf(THERE));
  a.turn();
  a.socket.sendErrno = 111;
  a.tun.outgoing.push(packetOf(THERE));
  a.turn();
  b.tun.writeErrno = 5;
  b.turn();
  assert.deepEqual(verdicts(ofA()), ['to 198.18.0.12:8285', 'dropped: send_refused, to 198.18.0.12:8285']);
  assert.deepEqual(verdicts(ofB()), ['dropped: tun_down, from 198.18.0.11:8285']);
});

test('packets that travel together are shown each by itself', () => {
  const [ofA, ofB] = [captured(a), captured(b)];
  const packets = Array.from({ length: 40 }, (_, identification) => packetOf({ ...THERE, identification }));
  a.tun.outgoing.push(...packets);
  a.turn();
  b.turn();
  assert.ok(a.socket.sends < 40, 'they do travel together');
  assert.deepEqual(
    ofA().map(({ bytes }) => bytes),
    packets.map(forwarded),
  );
  assert.deepEqual(
    ofB().map(({ bytes }) => bytes),
    packets.map(forwarded).map(forwarded),
  );
});

test('only what is asked for is shown, and as much of it', () => {
  const cases: readonly [question: Partial<CaptureQuestion>, want: readonly string[]][] = [
    [{ direction: 'out' }, ['to 198.18.0.12:8285', 'dropped: no_route']],
    [{ direction: 'in' }, ["this host's own ICMP error", 'from 198.18.0.12:8285']],
    [{ verdict: 'dropped' }, ['dropped: no_route']],
    [{ verdict: 'no_route' }, ['dropped: no_route']],
    [{ verdict: 'oversize' }, []],
    [{ verdict: 'forwarded', direction: 'out' }, ['to 198.18.0.12:8285']],
    [{ peer: parseAddress('198.18.0.12') }, ['to 198.18.0.12:8285', 'from 198.18.0.12:8285']],
    [{ peer: parseAddress('198.18.0.13') }, []],
  ];
  for (const [question, want] of cases) {
    const shown = captured(a, { ...question, snapBytes: 24 });
    a.tun.outgoing.push(packetOf(NOWHERE), packetOf(THERE));
    b.socket.sendTo(a.socket, packetOf({ source: '10.1.63.2', destination: '10.1.40.2' }));
    // The rate limit of answers is over by the next round.
    a.turn(cases.findIndex(([each]) => each === question) * 60_000);
    const packets = shown();
    assert.deepEqual(verdicts(packets).sort(), [...want].sort(), JSON.stringify(question));
    for (const { bytes, lengthBytes } of packets) assert.ok(bytes.length === 24 && lengthBytes > 24);
  }
});

test('nothing is shown to a capture that has ended, or has given way to another one', () => {
  const first = captured(a);
  const second = captured(a);
  a.tun.outgoing.push(packetOf(THERE));
  a.turn();
  a.forwarder.showTo(undefined);
  a.tun.outgoing.push(packetOf(THERE));
  a.turn();
  assert.deepEqual([first().length, second().length], [0, 1]);
});

for (const verdict of ['lost', 'tun_absent', 'socket_absent']) {
  test(`verdict ${verdict}, which no packet has that can be shown, is refused with all there are`, () => {
    const isRefused = ({ message }: Error) =>
      /must be one of forwarded, dropped, not_ipv4, .*, answer_unsent$/.test(message) &&
      !message.includes('_absent, ');
    assert.throws(() => captureFilterOf({ snapBytes: 1, verdict }), isRefused);
  });
}
