import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { CapturedPacket } from '../../../src/model/captured-packet.js';
import { type ControlReply, type ControlRequest, NEVER, SystemError } from '../../../src/ports.js';
import { encodeCaptureReply } from '../../../src/runtime/capture/capture-reply.js';
import { packetOf, readPacket } from '../../fakes/packets.js';
import { CommandWorld } from './command-world.js';
import { READY_REPORT } from './ready-report.js';

const PACKET: CapturedPacket = {
  atMs: 1_795_000_000_000,
  direction: 'out',
  isAnswer: false,
  isDatagram: true,
  peer: { address: parseAddress('10.8.65.53'), port: 8285, subnet: parsePrefix('4.0.32.0/24') },
  lengthBytes: 28,
  bytes: packetOf(),
};
const { peer: _, ...NOBODYS } = PACKET;
const DROPPED: CapturedPacket = { ...NOBODYS, drop: 'no_route', isDatagram: false };
const BEGUN = { id: 7, tun: 'flannel0', local: { address: '10.8.65.66', port: 8285 } };

/** A daemon whose packet loop shows `batches`, one for each question. */
function worldShowing(...batches: readonly (readonly CapturedPacket[])[]): CommandWorld {
  const world = new CommandWorld();
  const left = [...batches];
  world.answer = async ({ method, path }: ControlRequest): Promise<ControlReply> => {
    const [resource] = path.split('?');
    if (resource === '/status') return { status: 200, body: JSON.stringify(READY_REPORT) };
    if (resource === '/capture/end')
      return { status: 200, body: encodeCaptureReply({ packets: [], missed: 1 }) };
    if (method === 'POST') return { status: 200, body: JSON.stringify(BEGUN) };
    if (left.length === 0) await world.clock.sleep(1_000, NEVER);
    return { status: 200, body: encodeCaptureReply({ packets: left.shift() ?? [], missed: 0 }) };
  };
  return world;
}

interface Block {
  readonly type: number;
  readonly body: Buffer;
}

function blocksOf(bytes: Uint8Array | undefined): readonly Block[] {
  const file = Buffer.from(bytes ?? []);
  const blocks: Block[] = [];
  for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
    const length = file.readUInt32LE(at + 4);
    assert.equal(file.readUInt32LE(at + length - 4), length, 'both lengths');
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
  }
  return blocks;
}

const types = (world: CommandWorld, path = '/etc/a.pcapng') =>
  blocksOf(world.written.get(path)).map(({ type }) => type);
const [SECTION, INTERFACE, STATISTICS, PACKETS] = [0x0a0d0d0a, 1, 5, 6];

test('writes what the daemon shows until there is enough, and what was missed', async () => {
  const world = worldShowing([PACKET], [DROPPED, PACKET, PACKET]);
  const { exitCode, stderr } = await world.run('capture', '-w', 'a.pcapng', '-n', '3');
  assert.deepEqual([exitCode, stderr], [EXIT.done, '3 packets written, none missed\n']);
  assert.deepEqual(types(world), [SECTION, INTERFACE, PACKETS, PACKETS, PACKETS, STATISTICS]);
  const comments = blocksOf(world.written.get('/etc/a.pcapng')).map(({ body }) => body.toString('latin1'));
  assert.match(comments[2] ?? '', /to peer 4\.0\.32\.0\/24 at 10\.8\.65\.53:8285/);
  assert.match(comments[3] ?? '', /dropped: no_route/);
  assert.equal(world.asked.at(-1)?.path, '/capture/end?id=7');
  assert.deepEqual(world.progress, [
    'began: 0 packets written, none missed',
    'ended: 3 packets written, none missed',
  ]);
});

test('ends when its time is up', async () => {
  const world = worldShowing([PACKET]);
  const began = world.clock.boottimeMs();
  assert.equal((await world.run('capture', '-w', '-', '--duration', '3s')).exitCode, EXIT.done);
  assert.ok(world.clock.boottimeMs() - began >= 3_000);
  assert.deepEqual(types(world, '-'), [SECTION, INTERFACE, PACKETS, STATISTICS]);
  assert.deepEqual(world.progress, [], 'whoever reads may have the same terminal');
});

test('an interruption ends it, with a whole file and no failure', async () => {
  const world = worldShowing([PACKET]);
  void world.clock.sleep(2_500, new AbortController().signal).then(() => world.stop.abort(new Error('^C')));
  const { exitCode, stderr } = await world.run('capture', '-w', 'a.pcapng');
  assert.deepEqual(
    [exitCode, stderr],
    [
      EXIT.done,
      '1 packet written, 1 missed because they came too fast; fewer are with --peer, --verdict or --snap 96\n',
    ],
  );
  assert.deepEqual(types(world), [SECTION, INTERFACE, PACKETS, STATISTICS]);
});

test('the datagrams around them can be shown too, with what is known of their headers', async () => {
  const world = worldShowing([DROPPED, PACKET]);
  await world.run('capture', '-w', 'a.pcapng', '--layer', 'outer', '-n', '1');
  assert.deepEqual(
    types(world),
    [SECTION, INTERFACE, PACKETS, STATISTICS],
    'what was dropped before was none',
  );
  const [, , packet] = blocksOf(world.written.get('/etc/a.pcapng'));
  const { source, destination, payload } = readPacket(packet?.body.subarray(20, 20 + 56) ?? new Uint8Array());
  assert.deepEqual([source, destination], ['10.8.65.66', '10.8.65.53']);
  assert.deepEqual(Uint8Array.from(payload.subarray(8)), PACKET.bytes);
  const both = worldShowing([DROPPED, PACKET]);
  await both.run('capture', '-w', 'a.pcapng', '--layer', 'both', '-n', '2');
  assert.deepEqual(types(both), [
    SECTION,
    INTERFACE,
    INTERFACE,
    PACKETS,
    PACKETS,
    PACKETS,
    STATISTICS,
    STATISTICS,
  ]);
});

test('a peer may be named by its address, its subnet or a container of it', async () => {
  for (const named of ['10.8.65.53', '4.0.32.0/24', '4.0.32.7']) {
    const world = worldShowing([PACKET]);
    await world.run('capture', '-w', 'a.pcapng', '-n', '1', '--peer', named, '--verdict', 'dropped');
    assert.ok(
      world.asked.some(({ path }) => path === '/capture?snap=65535&verdict=dropped&peer=10.8.65.53'),
      JSON.stringify(world.asked),
    );
  }
  const { exitCode, stderr } = await worldShowing().run('capture', '-w', 'a.pcapng', '--peer', '9.9.9.9');
  assert.deepEqual(
    [exitCode, stderr],
    [EXIT.usage, 'Cannot capture packets of "9.9.9.9": no peer has it; `flannelette peers` names them\n'],
  );
});

test('a verdict that the daemon does not know is wrong usage', async () => {
  const world = new CommandWorld();
  world.answer = async () => ({ status: 400, body: 'verdict is "lost", must be one of forwarded, dropped' });
  const { exitCode, stderr } = await world.run('capture', '-w', 'a.pcapng', '--verdict', 'lost');
  assert.equal(exitCode, EXIT.usage);
  assert.equal(stderr, 'The daemon answered: verdict is "lost", must be one of forwarded, dropped\n');
  assert.deepEqual([...world.written], []);
});

test('nothing is written to a terminal, nor without a daemon', async () => {
  const world = worldShowing([PACKET]);
  world.isTerminal = true;
  const { exitCode, stderr } = await world.run('capture');
  assert.equal(exitCode, EXIT.usage);
  assert.match(stderr, /^Cannot write packets to a terminal: name a file with -w/);
  assert.equal((await new CommandWorld().run('capture', '-w', 'a')).exitCode, EXIT.notReady);
});

test('what the daemon refuses is told, and a daemon that goes away leaves a whole file', async () => {
  const refused = new CommandWorld();
  refused.answer = async () => ({ status: 409, body: 'Cannot capture packets: the kernel carries them' });
  const { stderr } = await refused.run('capture', '-w', 'a.pcapng');
  assert.match(stderr, /the kernel carries them/);
  const brokenOff = () => Promise.reject(new SystemError('Cannot ask: socket hang up', 'ECONNRESET'));
  for (const end of [async () => undefined, brokenOff]) {
    const world = worldShowing([PACKET]);
    const { answer } = world;
    world.answer = (request) => (world.written.size > 0 && world.asked.length > 2 ? end() : answer(request));
    const gone = await world.run('capture', '-w', 'a.pcapng');
    assert.equal(gone.exitCode, EXIT.failed);
    assert.match(gone.stderr, /The daemon has ended the capture/);
    assert.deepEqual(types(world), [SECTION, INTERFACE, PACKETS, STATISTICS]);
  }
});

test('a reader that is slow keeps its capture, and one that is gone ends it without failure', async () => {
  const slow = worldShowing([PACKET]);
  slow.beforeWriting = () => slow.clock.sleep(20_000, NEVER);
  assert.equal((await slow.run('capture', '-w', 'a.pcapng', '-n', '1')).exitCode, EXIT.done);
  const kept = slow.asked.filter(({ path }) => path === '/capture/keep?id=7');
  assert.ok(kept.length > 20, `${kept.length} times`);
  const gone = worldShowing([PACKET]);
  gone.beforeWriting = () => Promise.reject(new SystemError('Cannot write to standard output', 'EPIPE'));
  assert.deepEqual(await gone.run('capture'), { exitCode: EXIT.done, stdout: '', stderr: '' });
  assert.equal(gone.asked.at(-1)?.path, '/capture/end?id=7');
});

test('a disk that is full ends the capture too, and is told', async () => {
  const world = worldShowing([PACKET]);
  world.beforeWriting = () => Promise.reject(new SystemError('Cannot write /etc/a: no space left', 'ENOSPC'));
  const { exitCode, stderr } = await world.run('capture', '-w', 'a');
  assert.deepEqual([exitCode, stderr], [EXIT.failed, 'Cannot write /etc/a: no space left\n']);
  assert.equal(world.asked.at(-1)?.path, '/capture/end?id=7');
});
