/** A fast path beside loops, both fakes: when it is there, whom it knows, and what is counted. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Assembler, register } from '../../../src/dataplane/fast-path/assembler.js';
import type { CountersBySubnet, FastPath } from '../../../src/dataplane/fast-path/fast-path.js';
import type { FastCounters } from '../../../src/dataplane/fast-path/tables.js';
import { WithFastPath } from '../../../src/dataplane/fast-path/with-fast-path.js';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { CaptureQuestion } from '../../../src/model/captured-packet.js';
import type { ForwarderState, PeerState } from '../../../src/model/objects.js';
import { type Log, SystemError } from '../../../src/ports.js';
import { FakeClock } from '../../fakes/fake-clock.js';
import { FakeDataPlane } from '../../fakes/fake-data-plane.js';
import { type FakeKernel, fakeHost } from '../../fakes/fake-kernel.js';
import { FORWARDER } from '../../fakes/forwarder-state.js';

const STATE: ForwarderState = { ...FORWARDER, fastPath: true };
const B = peer('10.1.63.0/24', '198.18.0.12');
const C = peer('10.1.64.0/24', '198.18.0.13');
const { signal } = new AbortController();
const QUESTION = { snapBytes: 100 } as CaptureQuestion;
const LOOK_MS = 5_000;

function peer(subnet: string, publicIp: string): PeerState {
  return { subnet: parsePrefix(subnet), publicIp: parseAddress(publicIp), port: 8285 };
}

function counted(packets: number, receivedAtMs = 0): FastCounters {
  return {
    sentPackets: packets,
    sentBytes: packets * 100,
    receivedPackets: packets * 2,
    receivedBytes: packets * 200,
    receivedAtMs,
  };
}

class FakeFastPath implements FastPath {
  readonly known = new Map<string, { readonly peer: PeerState; counters: FastCounters }>();
  inPlace = true;
  isClosed = false;
  /** What the next change fails with. */
  failure: Error | undefined;

  constructor(
    readonly madeFor: ForwarderState,
    readonly wake: () => void,
  ) {}

  isInPlace(): boolean {
    return this.inPlace;
  }

  set(peer: PeerState): FastCounters | undefined {
    if (this.failure !== undefined) throw this.failure;
    const before = this.known.get(peer.subnet)?.counters;
    this.known.set(peer.subnet, { peer, counters: counted(0) });
    return before;
  }

  remove(subnet: string): FastCounters | undefined {
    const before = this.known.get(subnet)?.counters;
    this.known.delete(subnet);
    return before;
  }

  counters(): CountersBySubnet {
    return new Map([...this.known.values()].map(({ peer, counters }) => [peer.subnet, counters]));
  }

  close(): CountersBySubnet {
    this.isClosed = true;
    return this.counters();
  }

  carry(to: PeerState, packets: number, receivedAtMs = 0): void {
    const row = this.known.get(to.subnet);
    assert.ok(row, `${to.subnet} is known`);
    row.counters = counted(packets, receivedAtMs);
  }

  subnets(): string[] {
    return [...this.known.keys()];
  }
}

let clock: FakeClock;
let kernel: FakeKernel;
let loops: FakeDataPlane;
let paths: FakeFastPath[];
let refusal: SystemError | undefined;
/** What would have to see the datagrams; an error when nobody can tell. */
let onlooker: string | Error | undefined;
let looks: number;
/** To make a fast path. */
let attempts: number;
let warnings: string[];
let told: string[];
let log: Log;
let dataPlane: WithFastPath;

beforeEach(() => {
  clock = new FakeClock();
  kernel = fakeHost({ address: '198.18.0.11/24', gateway: '198.18.0.1' });
  kernel.tuns.create('flannel0', { multiQueue: false });
  loops = new FakeDataPlane(kernel);
  paths = [];
  refusal = undefined;
  warnings = [];
  told = [];
  onlooker = undefined;
  looks = 0;
  attempts = 0;
  const open = (state: ForwarderState, wake: () => void) => {
    attempts++;
    if (refusal !== undefined) throw refusal;
    const path = new FakeFastPath(state, wake);
    paths.push(path);
    return path;
  };
  const ignore = () => {};
  log = {
    debug: ignore,
    info: (fields: object) => told.push(JSON.stringify(fields)),
    warn: (fields: object) => warnings.push(JSON.stringify(fields)),
    error: ignore,
  };
  const look = async () => {
    looks++;
    if (onlooker instanceof Error) throw onlooker;
    return onlooker;
  };
  dataPlane = new WithFastPath(loops, async () => ({ open, lookOut: () => look }), log, clock);
});

function openPath(): FakeFastPath | undefined {
  return paths.find(({ isClosed }) => !isClosed);
}

function current(): FakeFastPath {
  const path = openPath();
  assert.ok(path, 'there is a fast path');
  return path;
}

async function configured(...peers: readonly PeerState[]): Promise<FakeFastPath> {
  await dataPlane.configure(STATE, signal);
  await dataPlane.updatePeers({ set: peers, remove: [] }, signal);
  return current();
}

test('is made with the loops where it is wanted, and not elsewhere', async () => {
  await dataPlane.configure({ ...STATE, fastPath: false }, signal);
  assert.equal(dataPlane.offloads().fastPath, false);
  assert.equal(paths.length, 0);
  await dataPlane.configure(STATE, signal);
  assert.equal(dataPlane.offloads().fastPath, true);
  await dataPlane.configure(STATE, signal);
  assert.equal(paths.length, 1, 'the same state leaves it as it is');
  await dataPlane.configure({ ...STATE, mtu: 1400 }, signal);
  assert.deepEqual([paths.length, paths[0]?.isClosed], [2, true]);
  await dataPlane.configure({ ...STATE, fastPath: false }, signal);
  assert.equal(openPath(), undefined);
  assert.equal(dataPlane.offloads().fastPath, false);
});

test('knows the peers that the loops have confirmed, and loses them first', async () => {
  const path = await configured(B, C);
  assert.deepEqual(path.subnets(), [B.subnet, C.subnet]);
  const removing = dataPlane.updatePeers({ set: [], remove: [B.subnet] }, signal);
  assert.deepEqual(path.subnets(), [C.subnet], 'at once');
  await removing;
  const moved = { ...C, publicIp: parseAddress('198.18.0.14') };
  const moving = dataPlane.updatePeers({ set: [moved], remove: [] }, signal);
  assert.deepEqual(path.known.get(C.subnet)?.peer, C);
  await moving;
  assert.deepEqual(path.known.get(C.subnet)?.peer, moved);
});

test('loses a peer that an earlier change, still under way, was about to set', async () => {
  const path = await configured(B);
  const setting = dataPlane.updatePeers({ set: [C], remove: [] }, signal);
  const removing = dataPlane.updatePeers({ set: [], remove: [C.subnet] }, signal);
  await Promise.all([setting, removing]);
  assert.deepEqual(path.subnets(), [B.subnet]);
});

test('follows what the loops did after somebody had given up', async () => {
  const path = await configured(B);
  await loops.updatePeers({ set: [C], remove: [B.subnet] }, signal);
  assert.deepEqual(path.subnets(), [B.subnet], 'nobody has told it');
  await clock.advance(LOOK_MS);
  assert.deepEqual(current().subnets(), [C.subnet]);
});

test('ends with the loops, and comes back with them', async () => {
  const path = await configured(B);
  kernel.foreign({ op: 'delete-link', name: 'flannel0' });
  await new Promise(setImmediate);
  assert.equal(path.isClosed, true);
  kernel.tuns.create('flannel0', { multiQueue: false });
  await dataPlane.configure(STATE, signal);
  assert.deepEqual(current().subnets(), [B.subnet]);
  await dataPlane.shutDown(signal);
  assert.equal(openPath(), undefined);
  await clock.advance(2 * LOOK_MS);
  assert.equal(openPath(), undefined);
});

test('follows a link that was replaced', async () => {
  const path = await configured(B);
  path.inPlace = false;
  await clock.advance(LOOK_MS);
  assert.equal(path.isClosed, true);
  assert.deepEqual(current().subnets(), [B.subnet]);
});

test('ends at once when the address has gone', async () => {
  const path = await configured(B);
  refusal = new SystemError('Cannot set up the fast path: no running link has the address', 'EADDRNOTAVAIL');
  path.wake();
  assert.equal(path.isClosed, false, 'it was another one');
  path.inPlace = false;
  path.wake();
  assert.equal(path.isClosed, true);
  assert.equal(openPath(), undefined);
});

test('that is refused is told once for each reason, tried again, and no trouble otherwise', async () => {
  refusal = new SystemError('Cannot set up the fast path: no', 'EPERM');
  await dataPlane.configure(STATE, signal);
  await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
  for (let look = 0; look < 3; look++) await clock.advance(LOOK_MS);
  assert.equal(dataPlane.offloads().fastPath, false);
  assert.deepEqual(dataPlane.forwarder(), STATE);
  assert.deepEqual(warnings, ['{"reason":"Cannot set up the fast path: no"}']);
  refusal = undefined;
  await clock.advance(LOOK_MS);
  assert.deepEqual(current().subnets(), [B.subnet]);
});

const AUTO: ForwarderState = { ...STATE, fastPath: 'auto' };
const PAUSE_MS = 1_000;

test('that is left to us comes once nothing has to look on, and goes when something has to', async () => {
  onlooker = 'iptables -A INPUT -j DROP';
  await dataPlane.configure(AUTO, signal);
  await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
  assert.deepEqual([looks, dataPlane.refusals()], [0, []], 'the host becomes ready first');
  await clock.advance(2 * PAUSE_MS);
  const reason = 'the fast path would pass by iptables -A INPUT -j DROP';
  assert.deepEqual([looks, openPath(), dataPlane.offloads().fastPath], [2, undefined, false]);
  assert.deepEqual(dataPlane.refusals(), [`the packet loop carries every packet: ${reason}`]);
  onlooker = undefined;
  await clock.advance(PAUSE_MS);
  assert.deepEqual(current().subnets(), [B.subnet]);
  assert.deepEqual([dataPlane.offloads().fastPath, dataPlane.refusals()], [true, []]);
  onlooker = 'tc qdisc clsact on eth0';
  await clock.advance(PAUSE_MS);
  assert.equal(openPath(), undefined);
  onlooker = new SystemError('Cannot read the rules with iptables-save: no', 'EPERM');
  await clock.advance(PAUSE_MS);
  assert.equal(openPath(), undefined);
  assert.match(dataPlane.refusals().join(), /Cannot read the rules/);
  assert.deepEqual([told.length, warnings], [3, []]);
});

test('that is left to us is looked at anew for another state, and with a capture', async () => {
  await dataPlane.configure(AUTO, signal);
  await clock.advance(PAUSE_MS);
  assert.deepEqual(current().madeFor, AUTO);
  const capture = await dataPlane.capture(QUESTION, signal);
  assert.deepEqual([openPath(), dataPlane.offloads().fastPath], [undefined, true]);
  await capture.end(signal);
  assert.deepEqual(current().madeFor, AUTO);
  const shorter = { ...AUTO, mtu: 1400 };
  await dataPlane.configure(shorter, signal);
  assert.equal(openPath(), undefined);
  await clock.advance(PAUSE_MS);
  assert.deepEqual(current().madeFor, shorter);
});

test('what was seen once is not believed where or when it may be otherwise', async () => {
  await dataPlane.configure(AUTO, signal);
  await clock.advance(PAUSE_MS);
  const path = current();
  path.inPlace = false;
  path.wake();
  assert.deepEqual(
    [path.isClosed, openPath()],
    [true, undefined],
    'other rules may count where the address is now',
  );
  await clock.advance(PAUSE_MS);
  assert.deepEqual(current().madeFor, AUTO);
  for (const leave of [
    () => dataPlane.configure({ ...AUTO, fastPath: false }, signal),
    () => dataPlane.shutDown(signal),
  ]) {
    await leave();
    await dataPlane.configure(AUTO, signal);
    assert.equal(openPath(), undefined);
    await clock.advance(PAUSE_MS);
    assert.deepEqual(current().madeFor, AUTO);
  }
});

test('a kernel without one is no trouble where it is left to us, and not asked with each look', async () => {
  refusal = new SystemError('Cannot set up the fast path: no', 'EINVAL');
  await dataPlane.configure(AUTO, signal);
  for (let look = 0; look < 6; look++) await clock.advance(PAUSE_MS);
  assert.deepEqual([told, warnings], [['{"reason":"Cannot set up the fast path: no"}'], []]);
  assert.deepEqual([looks, attempts], [6, 2]);
});

test('looking that takes long is done less often', async () => {
  const dawdling = new WithFastPath(
    loops,
    async () => ({
      open: (state, wake) => new FakeFastPath(state, wake),
      lookOut: (_, until) => async () => {
        looks++;
        await clock.sleep(30, until);
        return undefined;
      },
    }),
    log,
    clock,
  );
  await dawdling.configure(AUTO, signal);
  for (let second = 0; second < 11; second++) await clock.advance(1_000);
  assert.equal(looks, 4, 'after 1, 4.03, 7.06 and 10.09 s');
});

test('that cannot be changed any more is given up', async () => {
  const path = await configured(B);
  path.failure = new SystemError('Cannot set an entry of a map: no room (ENOSPC)', 'ENOSPC');
  await dataPlane.updatePeers({ set: [C], remove: [] }, signal);
  assert.equal(path.isClosed, true);
  assert.match(warnings.join(), /ENOSPC/);
});

test('makes way for a capture, which sees every packet, and is no refusal', async () => {
  const path = await configured(B);
  const [one, two] = [await dataPlane.capture(QUESTION, signal), await dataPlane.capture(QUESTION, signal)];
  assert.equal(path.isClosed, true);
  assert.equal(dataPlane.offloads().fastPath, true);
  await one.end(signal);
  await one.end(signal);
  await clock.advance(LOOK_MS);
  assert.equal(openPath(), undefined, 'the other one goes on');
  await two.end(signal);
  assert.deepEqual(current().subnets(), [B.subnet]);
});

test('a capture that ends while the loops are told something leaves one that is right', async () => {
  await configured(B, C);
  const shorter = { ...STATE, mtu: 1400 };
  const first = await dataPlane.capture(QUESTION, signal);
  await Promise.all([first.end(signal), dataPlane.configure(shorter, signal)]);
  assert.deepEqual(current().madeFor, shorter);
  const second = await dataPlane.capture(QUESTION, signal);
  await Promise.all([second.end(signal), dataPlane.updatePeers({ set: [], remove: [B.subnet] }, signal)]);
  assert.deepEqual(current().subnets(), [C.subnet]);
});

test('is looked after although the loops refused the last change', async () => {
  const path = await configured(B);
  loops.takenPorts.add(STATE.bind.port);
  await assert.rejects(dataPlane.configure(STATE, signal), /EADDRINUSE/);
  path.inPlace = false;
  await clock.advance(LOOK_MS);
  assert.equal(path.isClosed, true);
  assert.deepEqual(current().subnets(), [B.subnet]);
});

test('a capture on a host without one makes way for nothing', async () => {
  await dataPlane.configure({ ...STATE, fastPath: false }, signal);
  await dataPlane.capture(QUESTION, signal);
  assert.equal(dataPlane.offloads().fastPath, false);
});

test('counters do not go back when the loops refuse to forget a peer', async () => {
  const path = await configured(B);
  path.carry(B, 3);
  const gone = new AbortController();
  const removing = dataPlane.updatePeers({ set: [], remove: [B.subnet] }, gone.signal);
  gone.abort(new Error('given up'));
  await assert.rejects(removing, /given up/);
  await loops.updatePeers({ set: [B], remove: [] }, signal);
  assert.equal(dataPlane.counters().peers[0]?.sentPackets, 3);
});

test('trouble while looking is told, and ends nothing', async () => {
  const path = await configured(B);
  path.isInPlace = () => {
    throw new SystemError('Cannot count IPsec policies: no (ENOBUFS)', 'ENOBUFS');
  };
  await clock.advance(LOOK_MS);
  assert.match(warnings.join(), /ENOBUFS/);
  assert.equal(path.isClosed, false);
});

test('what it carried is added to what the loops did, for as long as the subnet is a peer', async () => {
  loops.traffic.set(B.subnet, { sentPackets: 5, lastReceivedAt: 1_000 });
  const path = await configured(B, C);
  await clock.advance(1_000);
  path.carry(B, 3, clock.boottimeMs() - 500);
  const [b, c] = dataPlane.counters().peers;
  assert.deepEqual([b?.sentPackets, b?.receivedPackets, b?.receivedBytes], [8, 6, 600]);
  assert.equal(b?.lastReceivedAt, clock.now() - 500);
  assert.deepEqual([c?.sentPackets, c?.lastReceivedAt], [0, undefined]);

  await dataPlane.configure({ ...STATE, mtu: 1400 }, signal);
  current().carry(B, 4);
  await dataPlane.updatePeers({ set: [{ ...B, port: 9999 }], remove: [] }, signal);
  current().carry(B, 10);
  assert.equal(dataPlane.counters().peers[0]?.sentPackets, 5 + 3 + 4 + 10);

  const { packets } = dataPlane.counters().sent;
  await dataPlane.updatePeers({ set: [], remove: [B.subnet] }, signal);
  assert.equal(dataPlane.counters().sent.packets, packets, 'totals never go back');
  await dataPlane.updatePeers({ set: [B], remove: [] }, signal);
  assert.equal(dataPlane.counters().peers.find(({ subnet }) => subnet === B.subnet)?.sentPackets, 5);
});

test('an instruction is eight bytes: code, registers, offset, number (RFC 9669, section 3)', () => {
  const program = new Assembler()
    .load(4, 0, 6, 16)
    .jumpIf(0, '!=', 8, 'end')
    .do(2, '=', register(10))
    .do(2, '+=', -16)
    .store(8, 10, -16, 0)
    .label('end')
    .exit();
  const words = Buffer.from(program.assemble()).toString('hex').match(/.{16}/g);
  assert.deepEqual(words, [
    '6160100000000000',
    '5600030008000000',
    'bfa2000000000000',
    '07020000f0ffffff',
    '7a0af0ff00000000',
    '9500000000000000',
  ]);
});

test('a jump to nowhere and a label that is there twice are told', () => {
  assert.throws(() => new Assembler().jump('away').assemble(), /Cannot jump to away: there is no such label/);
  assert.throws(() => new Assembler().label('here').label('here'), /Cannot use label here twice/);
});
