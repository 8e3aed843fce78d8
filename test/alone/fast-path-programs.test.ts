/**
 * The programs of the fast path, run by the kernel: what they carry is carried byte for byte as the loop would, and whatever they leave
 * alone comes to the loop's own descriptors unchanged.
 *
 *   in0, which the test writes and reads ── kernel, forwarding ── flannel0 ═ programs ═ eth0 ── card0, where the test is the other host
 */
import assert from 'node:assert/strict';
import { readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CountersBySubnet, FastPath } from '../../src/dataplane/fast-path/fast-path.js';
import { PeerTable } from '../../src/dataplane/peer-table.js';
import { rulesOf } from '../../src/dataplane/rules.js';
import { dropOf, verdictFromNetwork } from '../../src/dataplane/verdict.js';
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import type { ForwarderState, PeerState } from '../../src/model/objects.js';
import { systemClock } from '../../src/sys/clock.js';
import { hostFastPath } from '../../src/sys/fast-path.js';
import * as libc from '../../src/sys/libc.js';
import { linkIndex, openTun, openUdpSocket } from '../../src/sys/packet-devices.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { ipv4Key } from '../../src/wire/ipv4.js';
import { needsChecksum, VIRTIO_NET_HEADER_BYTES } from '../../src/wire/virtio-net.js';
import { FORWARDER } from '../fakes/forwarder-state.js';
import { mixture, type Way } from '../fakes/mixture.js';
import { DONT_FRAGMENT, forwarded, ICMP, icmpOf, packetOf, sumOf } from '../fakes/packets.js';
import { seededRandom } from '../fakes/seeded-random.js';
import { plainHeader, tcpOf, udpOf, udpThatSumsToZero, unfinished } from '../fakes/segments.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const PORT = 8285;
const MTU = 1472;
const STATE: ForwarderState = { ...FORWARDER, offload: false, fastPath: true };
const PEER: PeerState = {
  subnet: parsePrefix('10.1.63.0/24'),
  publicIp: parseAddress('198.18.0.12'),
  port: 9285,
};
const OUT: Way = { source: '10.1.40.2', destination: '10.1.63.2' };
const IN: Way = { source: OUT.destination, destination: OUT.source };
const ROUNDS = 5;
/** Longer than a packet is followed by others. */
const FORGOTTEN_MS = 300;
const SOON_MS = 2_000;

const SET_UP = `
ip link set lo up
ip link add eth0 address 02:00:00:00:00:11 type veth peer name card0 address 02:00:00:00:00:12
for link in all default in0 flannel0 eth0 card0; do
  echo 0 >/proc/sys/net/ipv4/conf/$link/rp_filter
  echo 1 >/proc/sys/net/ipv6/conf/$link/disable_ipv6
done
echo 1 >/proc/sys/net/ipv4/ip_forward
for link in in0 flannel0 eth0 card0; do ip link set $link up; done
ip link set in0 mtu 9000
ip link set flannel0 mtu ${MTU}
ip address add 198.18.0.11/24 dev eth0
ip neighbour add 198.18.0.12 lladdr 02:00:00:00:00:12 dev eth0 nud permanent
ip route add 10.1.0.0/16 dev flannel0
ip route add 10.1.40.0/24 dev in0`;

// linux/if_packet.h, linux/if_ether.h
const AF_PACKET = 17;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const SO_RCVBUFFORCE = 33;
const ETH_P_ALL = 3;
const ETHERNET_BYTES = 14;
const OUR_MAC = [2, 0, 0, 0, 0, 0x11];
const THEIR_MAC = [2, 0, 0, 0, 0, 0x12];

interface Frame {
  readonly to?: readonly number[];
  readonly tag?: readonly number[];
  /** What the other host's kernel says of it: struct virtio_net_hdr. */
  readonly header?: Uint8Array;
}

/** As a virtual card hands on what a socket sends: the checksum of UDP, behind Ethernet and IP, is left to a card. */
const UNFINISHED_DATAGRAM = Uint8Array.of(1, 0, 0, 0, 0, 0, ETHERNET_BYTES + 20, 0, 6, 0);

class Wires {
  readonly path: FastPath;
  #isClosed = false;
  readonly #in = openTun('in0', false, true);
  readonly #tun = openTun('flannel0', false, false);
  readonly #card = packetSocket('card0');
  readonly #socket = openUdpSocket(STATE.bind.address, PORT, false, false);
  readonly #buffer = new Uint8Array(65_600);

  constructor(state: ForwarderState) {
    this.path = hostFastPath().open(state, () => {});
    this.path.set(PEER);
  }

  /** As a container would send it. */
  send(packet: Uint8Array, header: Uint8Array = plainHeader()): void {
    writeSync(this.#in.fd, Uint8Array.from([...header, ...packet]));
  }

  /** What the kernel gave to containers. */
  delivered(): Uint8Array | undefined {
    const read = this.#read(this.#in.fd);
    if (read === undefined) return undefined;
    assert.equal(needsChecksum(read, 0), false, 'nothing is left to the container');
    return read.slice(VIRTIO_NET_HEADER_BYTES);
  }

  /** What it left to the loop, of what goes out. */
  leftOut(): Uint8Array | undefined {
    return this.#read(this.#tun.fd);
  }

  /** What it left to the loop, of what comes in. */
  leftIn(): Uint8Array | undefined {
    return this.#read(this.#socket.fd);
  }

  /** The next datagram between our ports that went out by the card, from its IP header on. */
  onWire(): Uint8Array | undefined {
    for (;;) {
      const read = this.#read(this.#card);
      if (read === undefined) return undefined;
      const frame = read.subarray(VIRTIO_NET_HEADER_BYTES);
      const datagram = frame.subarray(ETHERNET_BYTES);
      if (frame[12] !== 8 || frame[13] !== 0 || datagram[9] !== 17 || datagram[15] !== 11) continue;
      assert.equal(needsChecksum(read, 0), false, 'nothing is left to the card');
      return datagram.slice();
    }
  }

  /** As the other host would. */
  receive(datagram: Uint8Array, { to = OUR_MAC, tag = [], header = plainHeader() }: Frame = {}): void {
    const ethernet = [...to, ...THEIR_MAC, ...tag, 8, 0];
    libc.send(this.#card, Uint8Array.from([...header, ...ethernet, ...datagram]), 'send a frame');
  }

  #read(fd: number): Uint8Array | undefined {
    return readNow(fd, this.#buffer);
  }

  closePath(): CountersBySubnet {
    this.#isClosed = true;
    return this.path.close();
  }

  close(): void {
    if (!this.#isClosed) this.path.close();
    for (const fd of [this.#in.fd, this.#tun.fd, this.#card, this.#socket.fd]) libc.close(fd);
  }
}

/** Undefined when nothing is there to be read. */
function readNow(fd: number, buffer: Uint8Array): Uint8Array | undefined {
  try {
    return buffer.slice(0, readSync(fd, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Takes whole frames from a link, and puts them onto it. */
function packetSocket(link: string): number {
  const fd = libc.socket(AF_PACKET, libc.SOCK_RAW, 0, 'open a packet socket');
  const address = new Uint8Array(20); // struct sockaddr_ll
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL);
  view.setInt32(4, linkIndex(link), true);
  libc.setSocketOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
  // A whole flood waits here until it is read.
  libc.setSocketOption(fd, libc.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
  libc.bind(fd, address, `bind a packet socket to ${link}`);
  return fd;
}

interface Outer {
  readonly source?: string;
  readonly destination?: string;
  readonly ports?: readonly [number, number];
  readonly fields?: Parameters<typeof packetOf>[0];
}

/** A datagram between the hosts with `packet` in it: from the other one to ours unless told otherwise. */
function datagramOf(packet: Uint8Array, { source, destination, ports, fields }: Outer = {}): Uint8Array {
  const [from, to] = ports ?? [PEER.port, PORT];
  const bytes = packet.length + 8;
  const header = Uint8Array.of(from >> 8, from & 0xff, to >> 8, to & 0xff, bytes >> 8, bytes & 0xff, 0, 0);
  return packetOf({
    source: source ?? '198.18.0.12',
    destination: destination ?? '198.18.0.11',
    identification: 0,
    fragment: DONT_FRAGMENT,
    payload: Uint8Array.from([...header, ...packet]),
    ...fields,
  });
}

/** As it is to be on the wire: lowered by the kernel that forwards it, and by us. */
function sentAs(packet: Uint8Array): Uint8Array {
  return datagramOf(forwarded(forwarded(packet)), {
    source: '198.18.0.11',
    destination: '198.18.0.12',
    ports: [PORT, PEER.port],
  });
}

function onWires(body: (wires: Wires) => Promise<void>, state = STATE): Promise<void> {
  return inFreshNamespace(async () => {
    for (const name of ['in0', 'flannel0']) kernelTuns.create(name, { multiQueue: false });
    await outputOf(['sh', '-euc', SET_UP]);
    const wires = new Wires(state);
    try {
      // Until the kernel has noticed that somebody holds it, a TUN drops what it is given.
      await eventually('flannel0 takes packets', SOON_MS, async () =>
        assert.doesNotMatch(await outputOf(['ip', 'link', 'show', 'flannel0']), /noop/),
      );
      // A peer that was just set is slow at first.
      await sleep(FORGOTTEN_MS);
      await body(wires);
    } finally {
      wires.close();
    }
  });
}

/** Whichever of them gives something first. */
async function first<Name extends string>(
  ways: Readonly<Record<Name, () => Uint8Array | undefined>>,
): Promise<{ readonly way: Name; readonly bytes: Uint8Array }> {
  for (const end = performance.now() + SOON_MS; performance.now() < end; await sleep(0)) {
    for (const way of Object.keys(ways) as Name[]) {
      const bytes = ways[way]();
      if (bytes !== undefined) return { way, bytes };
    }
  }
  throw new Error(`Cannot find the packet: it came out nowhere within ${SOON_MS} ms`);
}

function outcome(wires: Wires) {
  return first({ fast: () => wires.onWire(), slow: () => wires.leftOut() });
}

function income(wires: Wires) {
  return first({ fast: () => wires.delivered(), slow: () => wires.leftIn() });
}

/** Which way it goes, and that nothing is wrong with it there. */
async function wayOut(wires: Wires, packet: Uint8Array, sent = packet, header?: Uint8Array): Promise<string> {
  wires.send(sent, header);
  const { way, bytes } = await outcome(wires);
  if (way === 'fast') assert.deepEqual(bytes, sentAs(packet));
  return way;
}

const ACKNOWLEDGEMENT = { ...OUT, flags: 0x10, payload: new Uint8Array() };

test('out: every packet is sent as it is, or left to the loop as it is', () =>
  onWires(async (wires) => {
    const { next } = seededRandom(7);
    const ways = { fast: 0, slow: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      for (const packet of mixture(next, OUT)) {
        wires.send(packet);
        const { way, bytes } = await outcome(wires);
        ways[way]++;
        const isLong = packet[9] === 6 && packet.length > 1_000;
        assert.ok(way === 'slow' || !isLong, 'a long segment is fast');
        assert.deepEqual(bytes, way === 'fast' ? sentAs(packet) : forwarded(packet));
      }
      await sleep(FORGOTTEN_MS);
    }
    assert.ok(ways.fast > 40 && ways.slow > 20, JSON.stringify(ways));
  }));

test('in: every packet is delivered as it is, or left to the loop as it is, and never one that the loop would drop', () =>
  onWires(async (wires) => {
    const rules = rulesOf(STATE);
    const peers = new PeerTable();
    const [subnetBase, publicIp] = [ipv4Key(parseAddress('10.1.63.0')), ipv4Key(PEER.publicIp)];
    peers.set(0, { subnetBase, subnetLength: 24, publicIp, port: PEER.port });
    const { next } = seededRandom(8);
    const ways = { fast: 0, slow: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      for (const original of mixture(next, IN)) {
        const packet = next() < 0.2 ? damaged(original, next) : original;
        wires.receive(datagramOf(packet), next() < 0.5 ? { header: UNFINISHED_DATAGRAM } : {});
        const { way, bytes } = await income(wires);
        ways[way]++;
        const verdict = verdictFromNetwork(packet, 0, packet.length, publicIp, PEER.port, rules, peers);
        assert.ok(way === 'slow' || dropOf(verdict) === 0, `${dropOf(verdict)} is fast`);
        assert.deepEqual(bytes, way === 'fast' ? forwarded(forwarded(packet)) : packet);
      }
      await sleep(FORGOTTEN_MS);
    }
    assert.ok(ways.fast > 40 && ways.slow > 20, JSON.stringify(ways));
  }));

/** One byte of its headers is another one; the checksum knows, or does not. */
function damaged(packet: Uint8Array, random: () => number): Uint8Array {
  const copy = packet.slice();
  const at = Math.floor(random() * 20);
  copy[at] = Math.floor(random() * 256);
  if (random() < 0.7) {
    copy.fill(0, 10, 12);
    new DataView(copy.buffer).setUint16(10, sumOf(copy.subarray(0, 20)));
  }
  return copy;
}

test('in: a datagram that is not a plain one from the peer to our port is none of its business', () =>
  onWires(async (wires) => {
    const packet = udpOf(IN);
    const fast = async (...frame: Parameters<Wires['receive']>) => {
      wires.receive(...frame);
      await sleep(5);
      const delivered = wires.delivered();
      while (wires.leftIn() !== undefined);
      return delivered !== undefined;
    };
    const options = Uint8Array.of(1, 1, 1, 1);
    const wrongChecksum = datagramOf(packet);
    wrongChecksum[10] = (wrongChecksum[10] ?? 0) ^ 1;
    const cases: Readonly<Record<string, Uint8Array>> = {
      'another port of ours': datagramOf(packet, { ports: [PEER.port, PORT + 1] }),
      'another port of theirs': datagramOf(packet, { ports: [PEER.port + 1, PORT] }),
      'another host': datagramOf(packet, { source: '198.18.0.13' }),
      ourselves: datagramOf(packet, { source: '198.18.0.11' }),
      'another address of ours': datagramOf(packet, { destination: '198.18.0.99' }),
      'a fragment': datagramOf(packet, { fields: { fragment: 0x2000 } }),
      options: datagramOf(packet, { fields: { options } }),
      'a wrong header checksum': wrongChecksum,
      'bytes behind it': Uint8Array.from([...datagramOf(packet), 0, 0]),
      'a packet that is cut off': datagramOf(packet.subarray(0, packet.length - 1)),
      'nothing in it': datagramOf(new Uint8Array()),
      "a source of another peer's": datagramOf(udpOf({ ...IN, source: '10.1.64.2' })),
      'a destination that is not here': datagramOf(udpOf({ ...IN, destination: '10.1.41.2' })),
      'its last hop': datagramOf(udpOf({ ...IN, ttl: 1 })),
      'another protocol, whose checksum nobody knows': datagramOf(packetOf({ ...IN, protocol: 47 })),
      'ourselves, as a peer': datagramOf(udpOf({ ...IN, source: '10.1.65.2' }), { source: '198.18.0.11' }),
    };
    wires.path.set({ ...PEER, subnet: parsePrefix('10.1.65.0/24'), publicIp: STATE.publicIp });
    await sleep(FORGOTTEN_MS);
    for (const [name, datagram] of Object.entries(cases)) assert.equal(await fast(datagram), false, name);
    assert.equal(await fast(datagramOf(packet), { to: [2, 0, 0, 0, 0, 0x99] }), false, 'to another card');
    assert.equal(await fast(datagramOf(packet), { tag: [0x81, 0, 0, 5] }), false, 'on a VLAN');
    assert.equal(await fast(datagramOf(packet)), true);
    const unchecked = packet.slice();
    unchecked.fill(0, 26, 28);
    assert.equal(await fast(datagramOf(unchecked)), false, 'no checksum at all');
  }));

test('a header checksum that becomes zero is zero (RFC 1624, section 3)', () =>
  onWires(async (wires) => {
    const becomesZero = (way: Way, lowered: (packet: Uint8Array) => Uint8Array) => {
      const all = Array.from({ length: 65_536 }, (_, identification) => udpOf({ ...way, identification }));
      const packet = all.find((each) => new DataView(lowered(each).buffer).getUint16(10) === 0);
      assert.ok(packet);
      return packet;
    };
    // On its way out the kernel has lowered it once before, on its way in it does so afterwards.
    assert.equal(
      await wayOut(
        wires,
        becomesZero(OUT, (packet) => forwarded(forwarded(packet))),
      ),
      'fast',
    );
    const packet = becomesZero(IN, forwarded);
    wires.receive(datagramOf(packet));
    assert.deepEqual(await income(wires), { way: 'fast', bytes: forwarded(forwarded(packet)) });
  }));

test('an unfinished checksum is completed, and the kernel does not do it again', () =>
  onWires(async (wires) => {
    const payloads = [16, 17, 18, 19, 64, 1_431, 1_432].map((bytes) =>
      Uint8Array.from({ length: bytes }, (_, at) => at),
    );
    const packets = [
      ...payloads.map((payload) => udpOf({ ...OUT, payload })),
      udpThatSumsToZero(OUT),
      tcpOf({ ...OUT, flags: 0x02, payload: new Uint8Array(4) }),
      tcpOf({ ...OUT, flags: 0x18, payload: new Uint8Array(901).fill(255) }),
    ];
    for (const packet of packets) {
      const { packet: sent, header } = unfinished(packet);
      assert.equal(await wayOut(wires, packet, sent, header), 'fast', `${packet.length} bytes`);
    }
  }));

test('an unfinished checksum of a packet that is too small to be moved is left to the loop', () =>
  onWires(async (wires) => {
    const { packet, header } = unfinished(udpOf({ ...OUT, payload: new Uint8Array(15) }));
    assert.equal(await wayOut(wires, packet, packet, header), 'slow');
    await sleep(FORGOTTEN_MS);
    assert.equal(
      await wayOut(wires, udpOf({ ...OUT, payload: new Uint8Array(15) })),
      'fast',
      'a complete one',
    );
  }));

test('what follows a packet that took the slow way does so too, for a while; an acknowledgement does not', () =>
  onWires(async (wires) => {
    const small = udpOf(OUT);
    const long = tcpOf({ ...OUT, payload: new Uint8Array(1_200) });
    const acknowledgement = tcpOf(ACKNOWLEDGEMENT);
    assert.equal(await wayOut(wires, small), 'fast');
    assert.equal(await wayOut(wires, long), 'slow');
    assert.equal(await wayOut(wires, small), 'slow');
    assert.equal(await wayOut(wires, acknowledgement), 'fast');
    for (const flags of [0x11, 0x14, 0x02, 0x18]) {
      assert.equal(await wayOut(wires, tcpOf({ ...ACKNOWLEDGEMENT, flags })), 'slow', `flags ${flags}`);
    }
    await sleep(FORGOTTEN_MS);
    assert.equal(await wayOut(wires, small), 'fast');

    const into = async (packet: Uint8Array) => {
      wires.receive(datagramOf(packet));
      return (await income(wires)).way;
    };
    assert.equal(await into(udpOf(IN)), 'fast');
    assert.equal(await into(tcpOf({ ...IN, payload: new Uint8Array(1_200) })), 'slow');
    assert.equal(await into(udpOf(IN)), 'slow');
    assert.equal(await into(tcpOf({ ...ACKNOWLEDGEMENT, ...IN })), 'fast');
    // The other direction is another matter.
    assert.equal(await wayOut(wires, small), 'fast');
    await sleep(FORGOTTEN_MS);
    assert.equal(await into(udpOf(IN)), 'fast');
  }));

test('a super-packet is left to the loop, and a flood too, of which nothing is lost', () =>
  onWires(async (wires) => {
    const super_ = unfinished(tcpOf({ ...OUT, payload: new Uint8Array(4_000) }), 1_000);
    wires.send(super_.packet, super_.header);
    assert.equal((await outcome(wires)).way, 'slow');
    await sleep(FORGOTTEN_MS);
    while (wires.leftOut() !== undefined);

    const flood = async (payloadBytes: number) => {
      const count = 400;
      const packet = udpOf({ ...OUT, payload: new Uint8Array(payloadBytes) });
      for (let sent = 0; sent < count; sent++) wires.send(packet);
      const ways = new Set<string>();
      for (let came = 0; came < count; came++) ways.add((await outcome(wires)).way);
      return ways;
    };
    assert.deepEqual(await flood(64), new Set(['fast', 'slow']));
    await sleep(FORGOTTEN_MS);
    assert.deepEqual(await flood(600), new Set(['fast', 'slow']));
  }));

test('the way is the one that a datagram of the host would take', () =>
  onWires(async (wires) => {
    const packet = packetOf({ ...OUT, protocol: ICMP, payload: icmpOf(8) });
    const wide = packetOf({ ...OUT, protocol: ICMP, payload: icmpOf(8, 0, new Uint8Array(1_390)) });
    assert.equal(await wayOut(wires, wide), 'fast');
    await outputOf(['ip', 'link', 'set', 'eth0', 'mtu', '1400']);
    assert.equal(await wayOut(wires, wide), 'slow');
    await outputOf(['ip', 'link', 'set', 'eth0', 'mtu', '1500']);
    assert.equal(await wayOut(wires, packet), 'slow', 'it would overtake the other one');
    await sleep(FORGOTTEN_MS);
    assert.equal(await wayOut(wires, packet), 'fast');
    await outputOf(['ip', 'neighbour', 'delete', '198.18.0.12', 'dev', 'eth0']);
    assert.equal(await wayOut(wires, packet), 'slow');

    await sleep(FORGOTTEN_MS);
    const gateway = 'ip neighbour add 198.18.0.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent';
    await outputOf(['sh', '-euc', `${gateway}; ip route add 198.18.0.12 via 198.18.0.1`]);
    assert.equal(await wayOut(wires, packet), 'fast');
    await outputOf(['ip', 'route', 'replace', 'blackhole', '198.18.0.12']);
    assert.equal(await wayOut(wires, packet), 'slow');
  }));

test('what is left to us goes out by the link of our address alone', () =>
  onWires(
    async (wires) => {
      const packet = packetOf({ ...OUT, protocol: ICMP, payload: icmpOf(8) });
      assert.equal(await wayOut(wires, packet), 'fast');
      await outputOf([
        'sh',
        '-euc',
        `ip link add other0 type veth peer name other1
         ip link set other0 up
         ip link set other1 up
         ip neighbour add 198.18.0.12 lladdr 02:00:00:00:00:01 dev other0 nud permanent
         ip route add 198.18.0.12 dev other0`,
      ]);
      assert.equal(await wayOut(wires, packet), 'slow');
    },
    { ...STATE, fastPath: 'auto' },
  ));

test('peers come, move and go with what was counted, and closed it carries nothing', () =>
  onWires(async (wires) => {
    const packet = packetOf({ ...OUT, protocol: ICMP, payload: icmpOf(8) });
    assert.equal(await wayOut(wires, packet), 'fast');
    wires.receive(datagramOf(packetOf({ ...IN, protocol: ICMP, payload: icmpOf(0) })));
    assert.equal((await income(wires)).way, 'fast');
    const counters = wires.path.counters().get(PEER.subnet);
    assert.ok(counters);
    const agoMs = systemClock.boottimeMs() - counters.receivedAtMs;
    assert.ok(agoMs >= -1 && agoMs < SOON_MS, `received ${agoMs} ms ago`);
    const counted = { sentPackets: 1, sentBytes: 28, receivedPackets: 1, receivedBytes: 28 };
    assert.deepEqual({ ...counters, receivedAtMs: 0 }, { ...counted, receivedAtMs: 0 });

    const elsewhere = { ...PEER, publicIp: parseAddress('198.18.0.13') };
    assert.deepEqual(wires.path.set(elsewhere), counters);
    assert.equal(wires.path.counters().get(PEER.subnet)?.sentPackets, 0);
    assert.equal(await wayOut(wires, packet), 'slow', 'as one that has just moved');
    assert.equal(wires.path.set(PEER)?.sentPackets, 0);
    await sleep(FORGOTTEN_MS);
    assert.equal(await wayOut(wires, packet), 'fast');
    assert.equal(wires.path.remove(PEER.subnet)?.sentPackets, 1);
    assert.equal(wires.path.remove(PEER.subnet), undefined);
    assert.equal(await wayOut(wires, packet), 'slow');

    wires.path.set(PEER);
    await sleep(FORGOTTEN_MS);
    assert.equal(await wayOut(wires, packet), 'fast');
    assert.equal(wires.closePath().get(PEER.subnet)?.sentPackets, 1);
    assert.equal(await wayOut(wires, packet), 'slow');
  }));
