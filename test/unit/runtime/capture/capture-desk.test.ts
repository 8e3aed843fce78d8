import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { CapturedPacket } from '../../../../src/model/captured-packet.js';
import { type ControlReply, type ControlRequest, NEVER } from '../../../../src/ports.js';
import { CaptureDesk } from '../../../../src/runtime/capture/capture-desk.js';
import { decodeCaptureReply } from '../../../../src/runtime/capture/capture-reply.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeDataPlane } from '../../../fakes/fake-data-plane.js';
import { fakeHost } from '../../../fakes/fake-kernel.js';
import { FORWARDER } from '../../../fakes/forwarder-state.js';

const PACKET: CapturedPacket = {
  atMs: 1.5,
  direction: 'out',
  drop: 'no_route',
  isAnswer: false,
  isDatagram: false,
  lengthBytes: 40,
  bytes: Uint8Array.of(0x45, 0, 255),
};
const { signal } = new AbortController();

let clock: FakeClock;
let dataPlane: FakeDataPlane;
let desk: CaptureDesk;

beforeEach(async () => {
  const kernel = fakeHost({ address: '198.18.0.11/24', gateway: '198.18.0.1' });
  kernel.tuns.create('flannel0', { multiQueue: false });
  clock = new FakeClock();
  dataPlane = new FakeDataPlane(kernel);
  const otherwise = () => 'the kernel carries them';
  desk = new CaptureDesk({ dataPlane, otherwise, clock }, signal);
});

async function configure(): Promise<void> {
  await dataPlane.configure(FORWARDER, signal);
}

/** Time passes until there is an answer. */
async function ask(method: ControlRequest['method'], path: string, gone = NEVER): Promise<ControlReply> {
  let reply: ControlReply | undefined;
  void desk.answer({ method, path }, gone).then((given) => {
    reply = given;
  });
  await settle();
  while (reply === undefined) await clock.advance(10);
  return reply;
}

test('a capture is begun, asked for what has come, and ended', async () => {
  await configure();
  const begun = await ask('POST', '/capture?snap=100&direction=out&peer=198.18.0.12');
  assert.deepEqual(JSON.parse(begun.body), {
    id: 1,
    tun: 'flannel0',
    local: { address: '198.18.0.11', port: 8285 },
  });
  dataPlane.captured.push(PACKET);
  dataPlane.missed = 2;
  const told = await ask('GET', '/capture?id=1&waitMs=1000');
  assert.deepEqual(decodeCaptureReply(told.body), { packets: [PACKET], missed: 2 });
  const began = clock.boottimeMs();
  assert.deepEqual(decodeCaptureReply((await ask('GET', '/capture?id=1&waitMs=1000')).body), {
    packets: [],
    missed: 0,
  });
  assert.ok(clock.boottimeMs() >= began + 1000, 'it waits');
  dataPlane.captured.push(PACKET);
  assert.equal(decodeCaptureReply((await ask('POST', '/capture/end?id=1')).body).packets.length, 1);
  assert.deepEqual(dataPlane.log.slice(-2), ['capture', 'end capture']);
  assert.equal((await ask('GET', '/capture?id=1')).status, 404);
});

test('one at a time; one that nobody asks about any more gives way', async () => {
  await configure();
  await ask('POST', '/capture');
  await clock.advance(9_000);
  await ask('GET', '/capture?id=1');
  await clock.advance(9_000);
  const second = await ask('POST', '/capture');
  assert.deepEqual(
    [second.status, second.body],
    [409, 'Cannot capture packets: somebody does already; one capture at a time'],
  );
  await clock.advance(2_000);
  assert.equal(dataPlane.log.at(-1), 'end capture');
  assert.equal((await ask('POST', '/capture')).status, 200);
});

test('one goes on for who is busy with what it was told, and ends at once for who is gone', async () => {
  await configure();
  await ask('POST', '/capture');
  for (let told = 0; told < 3; told++) {
    await clock.advance(9_000);
    assert.equal((await ask('POST', '/capture/keep?id=1')).status, 200);
  }
  dataPlane.captured.push(PACKET);
  assert.equal(decodeCaptureReply((await ask('GET', '/capture?id=1')).body).packets.length, 1);
  assert.equal((await ask('GET', '/capture?id=1&waitMs=1000', AbortSignal.abort())).status, 404);
  assert.equal(dataPlane.log.at(-1), 'end capture');
  assert.equal((await ask('POST', '/capture/keep?id=1')).status, 404);
  assert.equal((await ask('POST', '/capture')).status, 200);
});

test('the end of one takes all that is left, also from a question under way', async () => {
  await configure();
  await ask('POST', '/capture');
  const waiting = desk.answer({ method: 'GET', path: '/capture?id=1&waitMs=1000' }, NEVER);
  dataPlane.captured.push(PACKET);
  assert.equal(decodeCaptureReply((await ask('POST', '/capture/end?id=1')).body).packets.length, 1);
  await clock.advance(20);
  assert.equal((await waiting)?.status, 404);
});

test('a question that makes no sense is refused, and nothing is begun', async () => {
  await configure();
  for (const [query, why] of [
    ['snap=0', /snap is 0, must be a number from 1 to 65535/],
    ['snap=x', /snap is x/],
    ['direction=up', /direction is "up", must be in or out/],
    ['peer=nobody', /nobody/],
    ['verdict=lost', /lost/],
  ] as const) {
    const { status, body } = await ask('POST', `/capture?${query}`);
    assert.equal(status, 400, query);
    assert.match(body, why);
  }
  assert.equal((await ask('POST', '/capture')).status, 200);
});

test('without a packet loop it is told who carries the packets', async () => {
  const { status, body } = await ask('POST', '/capture');
  assert.deepEqual([status, body], [409, 'Cannot capture packets: the kernel carries them']);
});

test('anything else is somebody else’s to answer', async () => {
  assert.equal(await desk.answer({ method: 'GET', path: '/status' }, NEVER), undefined);
});
