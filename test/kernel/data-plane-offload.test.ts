/** Many packets at once, through real kernels: two hosts as in test/lab/data-plane-pair.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pair, type Site, withPair } from '../lab/data-plane-pair.js';
import { RemoteDataPlane } from '../lab/data-plane-remote.js';

const SOON_MS = 5000;
const TRANSFER_MS = 60_000;
const TRANSFER_BYTES = 100 << 20;
const NONE = { tso: false, uso: false, udpSegment: false, udpGro: false, fastPath: false };

test('asks the kernel for all that it can do, and for nothing when told so', () =>
  withPair(
    async ({ a, b }) => {
      assert.deepEqual(await a.dataPlane.offloads(), {
        tso: true,
        uso: true,
        udpSegment: true,
        udpGro: true,
        fastPath: false,
      });
      assert.deepEqual(await b.dataPlane.offloads(), NONE);
      await a.dataPlane.shutDown();
      assert.deepEqual(await a.dataPlane.offloads(), NONE);
    },
    { withoutOffload: 'b' },
  ));

test('attaches to a TUN that the last holder left with offloads, without them', () =>
  withPair(async ({ a, b }) => {
    await a.dataPlane.close();
    const other = new RemoteDataPlane(a.host);
    try {
      await other.configure({ ...a.state, offload: false });
      await other.setPeers(b.peer);
      await transfers(a, b, 1 << 20);
    } finally {
      await other.close();
    }
  }));

/** What is sent: it repeats itself nowhere near a packet's size. */
const SENDER = `
const { createServer } = require('node:net');
const { createCipheriv, createHash } = require('node:crypto');
const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
const hash = createHash('sha256');
let left = Number(process.argv[1]);
createServer((socket) => {
  const more = () => {
    while (left > 0) {
      const block = cipher.update(Buffer.alloc(Math.min(left, 65_521)));
      hash.update(block);
      left -= block.length;
      if (!socket.write(block)) return socket.once('drain', more);
    }
    socket.end();
    console.log('sent ' + hash.digest('hex'));
  };
  more();
}).listen(5300, () => console.log('listening'));`;

const RECEIVER = `
const { connect } = require('node:net');
const hash = require('node:crypto').createHash('sha256');
connect(5300, process.argv[1]).on('data', (data) => hash.update(data)).on('end', () => console.log(hash.digest('hex')));`;

async function transfers(from: Site, to: Site, bytes: number): Promise<void> {
  const sender = from.container.spawn([process.execPath, '--eval', SENDER, String(bytes)]);
  await sender.waitForLine(/listening/, SOON_MS);
  const argv = [process.execPath, '--eval', RECEIVER, from.container.address];
  const received = (await to.container.output(argv, { timeoutMs: TRANSFER_MS })).trim();
  assert.equal(await sender.waitForLine(/^sent/, SOON_MS), `sent ${received}`);
  await sender.stop();
}

/** Retransmissions hide what was lost or broken on the way: few packets may need one. */
async function carriesAll({ a, b }: Pair, bytes: number): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    await transfers(from, to, bytes);
    assert.ok((await to.dataPlane.counters()).received.bytes > bytes);
    const wrong = await to.container.output(['cat', '/proc/net/snmp']);
    const [names = '', values = ''] = wrong.split('\n').filter((line) => line.startsWith('Tcp:'));
    const checksumErrors = values.split(' ')[names.split(' ').indexOf('InCsumErrors')];
    assert.equal(checksumErrors, '0');
  }
}

for (const { withoutOffload, name } of [
  { withoutOffload: '', name: 'both hosts with offload' },
  { withoutOffload: 'a', name: 'one host without offload' },
  { withoutOffload: 'ab', name: 'no host with offload' },
]) {
  test(`carries ${TRANSFER_BYTES >> 20} MB unchanged in both directions, ${name}`, () =>
    withPair((pair) => carriesAll(pair, TRANSFER_BYTES), { withoutOffload }));
}

/** An underlay that carries single packets only, as most network cards do. */
async function withoutSegmentation({ a, b }: Pair): Promise<void> {
  const features = ['tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation'];
  const argv = features.flatMap((feature) => [feature, 'off']);
  for (const { host } of [a, b]) await host.output(['ethtool', '-K', 'eth0', ...argv]);
}

test('carries everything over an underlay that knows nothing of it', () =>
  withPair(async (pair) => {
    await withoutSegmentation(pair);
    await carriesAll(pair, TRANSFER_BYTES / 4);
  }));

test('carries everything over an underlay that makes no checksums either, where runs are refused', () =>
  withPair(async (pair) => {
    for (const { host } of [pair.a, pair.b]) {
      await host.output(['ethtool', '-K', 'eth0', 'tx', 'off', 'gro', 'off']);
    }
    await carriesAll(pair, TRANSFER_BYTES / 4);
  }));

test('carries everything over an underlay of a smaller MTU than was planned for, where runs are refused', () =>
  withPair(async (pair) => {
    for (const { host } of [pair.a, pair.b]) await host.script('ip link set eth0 mtu 1400');
    await carriesAll(pair, TRANSFER_BYTES / 10);
    const { drops } = await pair.a.dataPlane.counters();
    assert.equal(drops.send_failed, 0);
  }));

for (const size of [16, 64, 65, 512, 1440]) {
  test(`delivers UDP datagrams of ${size} bytes, each as it was sent`, () =>
    withPair(async ({ a, b }) => {
      const server = b.container.spawn(['iperf3', '--server', '--one-off', '--forceflush']);
      await server.waitForLine(/listening/i, SOON_MS);
      const argv = ['iperf3', '--udp', '--bitrate', '0', '--length', String(size), '--time', '1'];
      const text = await a.container.output([...argv, '--json', '--client', b.container.address], {
        timeoutMs: TRANSFER_MS,
      });
      const { end } = JSON.parse(text);
      assert.equal(end.streams[0].udp.out_of_order, 0);
      assert.ok(end.sum.packets > 1000, text);
      const snmp = await b.container.output(['cat', '/proc/net/snmp']);
      const [names = '', values = ''] = snmp.split('\n').filter((line) => line.startsWith('Udp:'));
      assert.equal(values.split(' ')[names.split(' ').indexOf('InCsumErrors')], '0');
    }));
}

test('keeps the packets of each flow in order with two threads', () =>
  withPair(
    async ({ a, b }) => {
      const server = b.container.spawn(['iperf3', '--server', '--one-off', '--forceflush']);
      await server.waitForLine(/listening/i, SOON_MS);
      const argv = ['iperf3', '--udp', '--bidir', '--parallel', '4', '--bitrate', '20M', '--time', '1'];
      const text = await a.container.output([...argv, '--json', '--client', b.container.address], {
        timeoutMs: TRANSFER_MS,
      });
      const streams: { readonly udp: { readonly out_of_order: number; readonly packets: number } }[] =
        JSON.parse(text).end.streams;
      assert.equal(streams.length, 8);
      for (const { udp } of streams) {
        assert.equal(udp.out_of_order, 0);
        assert.ok(udp.packets > 500, text);
      }
      await transfers(a, b, 50 << 20);
    },
    { workers: 2 },
  ));

test('answers ping in all sizes', () =>
  withPair(async ({ a, b }) => {
    for (const size of [0, 1, 55, 56, 1000, 1443, 1444, 1445, 2000, 20_000, 65_000]) {
      const argv = ['ping', '-c', '3', '-i', '0.01', '-W', '2', '-s', String(size), b.container.address];
      assert.match(await a.container.output(argv), / 0% packet loss/, `${size} bytes`);
    }
  }));
