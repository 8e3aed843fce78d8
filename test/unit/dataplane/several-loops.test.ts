/** Several packet loops seen as one, over fakes that have a queue each of one TUN. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { SeveralLoops } from '../../../src/dataplane/several-loops.js';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { ForwarderState, PeerState } from '../../../src/model/objects.js';
import { FakeDataPlane } from '../../fakes/fake-data-plane.js';
import { type FakeKernel, fakeHost } from '../../fakes/fake-kernel.js';
import { FORWARDER } from '../../fakes/forwarder-state.js';

const STATE: ForwarderState = { ...FORWARDER, workers: 2 };
const B = peer('10.1.63.0/24', '198.18.0.12');
const C = peer('10.1.64.0/24', '198.18.0.13');
const { signal } = new AbortController();

function peer(subnet: string, publicIp: string): PeerState {
  return { subnet: parsePrefix(subnet), publicIp: parseAddress(publicIp), port: 8285 };
}

let kernel: FakeKernel;
let fakes: FakeDataPlane[];
let loops: SeveralLoops;

beforeEach(() => {
  kernel = fakeHost({ address: '198.18.0.11/24', gateway: '198.18.0.1' });
  kernel.tuns.create('flannel0', { multiQueue: true });
  fakes = [];
  loops = new SeveralLoops(() => {
    const fake = new FakeDataPlane(kernel);
    fakes.push(fake);
    return fake;
  });
});

function fake(index: number): FakeDataPlane {
  const found = fakes[index];
  assert.ok(found, `loop ${index} was not started`);
  return found;
}

test('starts one loop at once, and the others when they are wanted', async () => {
  assert.equal(fakes.length, 1);
  assert.equal(loops.forwarder(), undefined);
  await loops.configure(STATE, signal);
  assert.equal(fakes.length, 2);
  assert.deepEqual(loops.forwarder(), STATE);
});

test('a capture is of all loops, or of none', async () => {
  await loops.configure(STATE, signal);
  const capture = await loops.capture({ snapBytes: 100 }, signal);
  await capture.end(signal);
  fake(1).die();
  await assert.rejects(loops.capture({ snapBytes: 100 }, signal), { code: 'ENOTCONN' });
  assert.deepEqual(fake(0).log.slice(-2), ['capture', 'end capture']);
});

test('runs with what all loops run with, and with nothing when one does not', async () => {
  await loops.configure(STATE, signal);
  await fake(1).configure({ ...STATE, mtu: 1400 }, signal);
  assert.equal(loops.forwarder(), undefined);
  await loops.configure(STATE, signal);
  assert.deepEqual(loops.forwarder(), STATE);
  fake(1).die();
  assert.equal(loops.forwarder(), undefined);
});

test('has the peers that every loop has, so that those of a new loop are set again', async () => {
  await loops.configure(STATE, signal);
  await loops.updatePeers({ set: [B, C], remove: [] }, signal);
  assert.deepEqual(loops.peers(), [B, C]);
  await fake(1).updatePeers({ set: [{ ...B, port: 8286 }], remove: [C.subnet] }, signal);
  assert.deepEqual(loops.peers(), []);
  await loops.updatePeers({ set: [B], remove: [C.subnet] }, signal);
  assert.deepEqual(loops.peers(), [B]);
  assert.deepEqual(fake(0).peers(), fake(1).peers());
});

test('has from the kernel what every loop has', async () => {
  const state = { ...STATE, fastPath: true };
  await loops.configure(state, signal);
  const all = { tso: true, uso: true, udpSegment: true, udpGro: true, fastPath: true };
  assert.deepEqual(loops.offloads(), all);
  fake(1).refusesFastPath = true;
  assert.deepEqual(loops.offloads(), { ...all, fastPath: false });
});

test('adds up what the loops have counted', async () => {
  await loops.configure(STATE, signal);
  await loops.updatePeers({ set: [B], remove: [] }, signal);
  fake(0).traffic.set(B.subnet, { sentPackets: 2, sentBytes: 20, lastReceivedAt: 7 });
  fake(1).traffic.set(B.subnet, { sentPackets: 3, sentBytes: 30, drops: 1, lastReceivedAt: 5 });
  const [counted] = loops.counters().peers;
  const { sentPackets, sentBytes, drops, lastReceivedAt } = counted ?? {};
  assert.deepEqual([sentPackets, sentBytes, drops, lastReceivedAt], [5, 50, 1, 7]);
});

test('stops the loops that are too many before the one that stays takes the device for itself', async () => {
  await loops.configure(STATE, signal);
  kernel.foreign({ op: 'delete-link', name: 'flannel0' });
  kernel.tuns.create('flannel0', { multiQueue: false });
  const single = { ...STATE, workers: 1 };
  await loops.configure(single, signal);
  assert.deepEqual(loops.forwarder(), single);
  assert.equal(fake(1).forwarder(), undefined);
  assert.equal(fake(1).log.at(-1), 'shut down');
});

test('wakes whoever watches when any loop does, until told to stop', async () => {
  let wakes = 0;
  const watching = new AbortController();
  loops.watch(() => wakes++, watching.signal);
  await loops.configure(STATE, signal);
  wakes = 0;
  fake(1).die();
  assert.ok(wakes > 0);
  watching.abort();
  wakes = 0;
  fake(0).die();
  assert.equal(wakes, 0);
});
