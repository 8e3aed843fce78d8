/** The loop's turns over devices in memory and a queue of control messages. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  type ControlMessage,
  type ControlPort,
  encodeRows,
  type Report,
} from '../../../src/dataplane/control.js';
import { Counters, countersMemory } from '../../../src/dataplane/counters.js';
import { NO_DESCRIPTOR, type PacketIo, PacketLoop, READY } from '../../../src/dataplane/packet-loop.js';
import { parseAddress } from '../../../src/model/address.js';
import { ipv4Key } from '../../../src/wire/ipv4.js';
import { FORWARDER } from '../../fakes/forwarder-state.js';
import { MemoryNetwork, type MemorySocket, MemoryTun } from '../../fakes/memory-network.js';
import { packetOf } from '../../fakes/packets.js';

const STATE = FORWARDER;
const TUN_FD = 20;
const SOCKET_FD = 21;
const PEER = { subnetLength: 24, publicIp: ipv4Key(parseAddress('198.18.0.12')), port: 8285 };

class FakeControl implements ControlPort {
  readonly messages: ControlMessage[] = [];
  readonly reports: Report[] = [];
  stopped = false;

  isStopped(): boolean {
    return this.stopped;
  }

  receive(): ControlMessage | undefined {
    return this.messages.shift();
  }

  post(report: Report): void {
    this.reports.push(report);
  }
}

let tun: MemoryTun;
let network: MemoryNetwork;
let socket: MemorySocket;
let control: FakeControl;
let counters: Counters;
/** What the next wait finds. */
let ready: number;
/** What the last wait was called with. */
let waited: { readonly tun: number; readonly socket: number; readonly timeoutMs: number };
let loop: PacketLoop;

beforeEach(() => {
  tun = new MemoryTun();
  network = new MemoryNetwork();
  socket = network.open('198.18.0.11', 8285);
  control = new FakeControl();
  counters = new Counters(countersMemory());
  const io: PacketIo = {
    tun: () => tun,
    socket: () => socket,
    wait: (tunFd, socketFd, timeoutMs) => {
      waited = { tun: tunFd, socket: socketFd, timeoutMs };
      return ready;
    },
    now: () => ({ monotonicMs: 0, epochMs: 1 }),
  };
  loop = new PacketLoop(io, control, counters);
});

function turn(found: number): void {
  ready = found;
  loop.turn();
}

function configured(): void {
  control.messages.push({
    kind: 'configure',
    id: 1,
    state: STATE,
    tun: { fd: TUN_FD, generation: 1, offloads: { virtioHeader: true, tso: true, uso: true } },
    socket: { fd: SOCKET_FD, generation: 2, offloads: { segment: true, gro: true } },
  });
  turn(READY.CONTROL);
  control.reports.length = 0;
}

function peers(id: number, third: number): ControlMessage {
  const subnetBase = ipv4Key(parseAddress(`10.1.${third}.0`));
  return { kind: 'peers', id, set: encodeRows([{ row: 0, subnetBase, ...PEER }]), remove: new Int32Array() };
}

test('waits for nothing but the control plane before it is configured', () => {
  turn(0);
  assert.deepEqual(waited, { tun: NO_DESCRIPTOR, socket: NO_DESCRIPTOR, timeoutMs: 1000 });
});

test('never waits longer than a second, and not at all while messages may be left', () => {
  configured();
  control.messages.push(peers(2, 63), peers(3, 63));
  turn(READY.CONTROL);
  turn(0);
  assert.deepEqual(waited, { tun: TUN_FD, socket: SOCKET_FD, timeoutMs: 0 });
  turn(0);
  assert.deepEqual(waited, { tun: TUN_FD, socket: SOCKET_FD, timeoutMs: 1000 });
});

test('looks for an answer that the kernel has put into the TUN while it took a packet', () => {
  configured();
  control.messages.push(peers(2, 63));
  turn(READY.CONTROL);
  const peer = network.open('198.18.0.12', 8285);
  peer.sendTo(socket, packetOf({ source: '10.1.63.2', destination: '10.1.40.2' }));
  tun.outgoing.push(packetOf());
  turn(READY.SOCKET);
  const { sent, received } = counters.totals();
  assert.deepEqual([received.packets, sent.packets], [1, 1]);
});

test('obeys in order and answers each message', () => {
  control.messages.push(peers(7, 63), peers(8, 64));
  turn(READY.CONTROL);
  assert.deepEqual(control.reports, [
    { kind: 'done', id: 7 },
    { kind: 'done', id: 8 },
  ]);
});

test('gives packets a turn between many messages', () => {
  configured();
  for (let id = 2; id < 9; id++) control.messages.push(peers(id, 63));
  turn(READY.CONTROL);
  assert.equal(control.messages.length, 5);
  tun.outgoing.push(packetOf());
  turn(READY.TUN);
  assert.equal(counters.totals().sent.packets, 1);
  assert.equal(control.messages.length, 3);
});

test('ends at once when told to stop, whatever else waits', () => {
  configured();
  control.stopped = true;
  tun.outgoing.push(packetOf());
  turn(READY.TUN | READY.CONTROL);
  assert.equal(tun.outgoing.length, 1);
  loop.run();
});

test('lets go of a TUN whose link was deleted, says so once, and keeps the socket', () => {
  configured();
  turn(READY.TUN_GONE);
  assert.deepEqual(control.reports, [{ kind: 'lost', device: 'tun', generation: 1, errno: 77 }]);
  turn(READY.SOCKET);
  assert.deepEqual(waited, { tun: NO_DESCRIPTOR, socket: SOCKET_FD, timeoutMs: 1000 });
  assert.equal(control.reports.length, 1);
});

test('lets go of a TUN that reading finds deleted', () => {
  configured();
  tun.isDeleted = true;
  turn(READY.TUN);
  assert.deepEqual(control.reports, [{ kind: 'lost', device: 'tun', generation: 1, errno: 77 }]);
});

test('lets go of a socket that is none any more, and keeps the TUN', () => {
  configured();
  turn(READY.SOCKET_GONE);
  assert.deepEqual(control.reports, [{ kind: 'lost', device: 'socket', generation: 2, errno: 9 }]);
  turn(0);
  assert.equal(waited.tun, TUN_FD);
});

test('keeps a socket that only reports a pending error', () => {
  configured();
  socket.receiveErrno = 111;
  turn(READY.SOCKET);
  assert.deepEqual(control.reports, []);
});

test('a new configuration without devices changes the rules alone', () => {
  configured();
  control.messages.push({ kind: 'configure', id: 2, state: { ...STATE, mtu: 100 } }, peers(3, 63));
  turn(READY.CONTROL);
  turn(0);
  assert.deepEqual([waited.tun, waited.socket], [TUN_FD, SOCKET_FD]);
  tun.outgoing.push(packetOf({ payload: new Uint8Array(100) }));
  turn(READY.TUN);
  assert.equal(counters.totals().drops.oversize, 1);
});

test('releases a device when asked', () => {
  configured();
  control.messages.push({ kind: 'release', id: 2, device: 'socket' });
  turn(READY.CONTROL);
  turn(0);
  assert.deepEqual([waited.tun, waited.socket], [TUN_FD, NO_DESCRIPTOR]);
});

test("a peer keeps its counters when its address changes, and passes none on to its row's next subnet", () => {
  configured();
  control.messages.push(peers(2, 63));
  turn(READY.CONTROL);
  tun.outgoing.push(packetOf());
  turn(READY.TUN);
  control.messages.push(peers(3, 63));
  turn(READY.CONTROL);
  assert.equal(counters.row(0).sentPackets, 1);
  control.messages.push(peers(4, 64));
  turn(READY.CONTROL);
  assert.equal(counters.row(0).sentPackets, 0);
  assert.equal(counters.totals().sent.packets, 1);
});

test('a removed peer gets nothing more', () => {
  configured();
  control.messages.push(peers(2, 63), {
    kind: 'peers',
    id: 3,
    set: new Int32Array(),
    remove: Int32Array.of(0),
  });
  turn(READY.CONTROL);
  tun.outgoing.push(packetOf());
  turn(READY.TUN);
  assert.equal(counters.totals().drops.no_route, 1);
});
