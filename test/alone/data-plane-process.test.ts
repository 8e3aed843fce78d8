/** The packet loop and its process: stalls, deaths and losses, on two hosts as in test/lab/data-plane-pair.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress, parsePrefix } from '../../src/model/address.js';
import type { PeerState } from '../../src/model/objects.js';
import { makeTun, type Pair, withPair } from '../lab/data-plane-pair.js';
import type { RemoteDataPlane } from '../lab/data-plane-remote.js';
import { eventually } from '../lab/eventually.js';
import type { LongProcess } from '../lab/process.js';

/** From the exit's cause to the end of the process, its exit hook and Node's own shutdown included. */
const END_MS = 1000;
const NOTICE_MS = 5000;

test('loses no packet while the control plane is stalled for 10 s', () =>
  withPair(async ({ a, b }) => {
    await Promise.all([a.dataPlane.stall(10_000), b.dataPlane.stall(10_000)]);
    const ping = ['ping', '-q', '-i', '0.005', '-c', '1900', b.container.address];
    assert.match(await a.container.output(ping, { timeoutMs: 30_000 }), / 0% packet loss/);
  }));

/** A flood of small packets both ways, until it is stopped; resolves with its two processes. */
async function flood({ a, b }: Pair): Promise<readonly LongProcess[]> {
  const server = b.container.spawn(['iperf3', '--server', '--forceflush']);
  await server.waitForLine(/listening/i, NOTICE_MS);
  const argv = [
    'iperf3',
    '--udp',
    '--bitrate',
    '0',
    '--length',
    '64',
    '--bidir',
    '--time',
    '30',
    '--forceflush',
  ];
  const client = a.container.spawn([...argv, '--client', b.container.address]);
  await client.waitForLine(/connected to/, NOTICE_MS);
  await eventually('packets flow', NOTICE_MS, async () => {
    assert.ok((await a.dataPlane.counters()).received.packets > 1000);
  });
  return [client, server];
}

/** How the process ended; when it does not in time, that it is still there. */
function endOf({ exited }: RemoteDataPlane): Promise<unknown> {
  return Promise.race([exited, sleep(END_MS, `still there after ${END_MS} ms`)]);
}

for (const { how, code } of [
  { how: 'exit', code: 3 },
  { how: 'throw', code: 1 },
  { how: 'reject', code: 1 },
  { how: 'run out', code: 0 },
] as const) {
  for (const traffic of ['under traffic', 'idle']) {
    test(`the process is gone within a second, ${traffic}: ${how}`, () =>
      withPair(async (pair) => {
        if (traffic !== 'idle') await flood(pair);
        const { dataPlane } = pair.a;
        // A process that is gone may have died before it answered.
        dataPlane.die(how).catch(() => {});
        assert.deepEqual(await endOf(dataPlane), { code, signal: null });
      }));
  }
}

test('the process is gone within a second, under traffic: SIGTERM', () =>
  withPair(async (pair) => {
    await flood(pair);
    pair.a.dataPlane.signal('SIGTERM');
    assert.deepEqual(await endOf(pair.a.dataPlane), { code: null, signal: 'SIGTERM' });
  }));

test('shuts down at once under traffic, and carries packets again when configured', () =>
  withPair(async (pair) => {
    const { a, b } = pair;
    const processes = await flood(pair);
    const start = performance.now();
    await a.dataPlane.shutDown();
    const took = performance.now() - start;
    assert.ok(took < END_MS, `took ${took} ms`);
    await Promise.all(processes.map((process) => process.stop()));
    assert.equal(await a.dataPlane.forwarder(), undefined);
    await a.dataPlane.configure(a.state);
    await a.dataPlane.setPeers(b.peer);
    await a.container.output(['ping', '-c', '1', '-W', '2', b.container.address]);
  }));

test('notices a deleted TUN, burns no processor over it, and takes the next one with its peers still known', () =>
  withPair(async ({ a, b }) => {
    await a.host.output(['ip', 'link', 'delete', 'flannel0']);
    await eventually('the lost TUN is noticed', NOTICE_MS, async () => {
      assert.deepEqual(await a.dataPlane.log(), [
        'warn packet device lost {"device":"tun","identity":"flannel0 false true","error":"EBADFD"}',
      ]);
    });
    assert.equal(await a.dataPlane.forwarder(), undefined);
    const before = await a.dataPlane.cpuMs();
    // The other host goes on sending: this one has a socket but no TUN.
    await b.container.run(['ping', '-q', '-i', '0.01', '-c', '100', '-W', '1', a.container.address]);
    const used = (await a.dataPlane.cpuMs()) - before;
    assert.ok(used < 300, `used ${used} ms of processor in about a second`);
    const { drops } = await a.dataPlane.counters();
    assert.ok((drops.tun_absent ?? 0) > 50, JSON.stringify(drops));
    await makeTun(a.host, a.state.tunAddress);
    await a.dataPlane.configure(a.state);
    assert.deepEqual(await a.dataPlane.peers(), [b.peer]);
    await a.container.output(['ping', '-c', '1', '-W', '2', b.container.address]);
  }));

test('a TUN that is set down and up again needs nobody', () =>
  withPair(async ({ a, b }) => {
    await a.host.script('ip link set flannel0 down');
    const before = await a.dataPlane.cpuMs();
    await b.container.run(['ping', '-q', '-i', '0.01', '-c', '50', '-W', '1', a.container.address]);
    const used = (await a.dataPlane.cpuMs()) - before;
    assert.ok(used < 300, `used ${used} ms of processor in about half a second`);
    const { drops } = await a.dataPlane.counters();
    assert.ok((drops.tun_down ?? 0) > 25, JSON.stringify(drops));
    await a.host.script('ip link set flannel0 up; ip route add 10.1.0.0/16 dev flannel0');
    await a.container.output(['ping', '-c', '1', '-W', '2', b.container.address]);
  }));

test('a peer that moves is sent to at its new place within 10 ms, at line rate and among 10,000', () =>
  withPair(async (pair) => {
    const { dataPlane } = pair.a;
    await dataPlane.updatePeers({
      set: Array.from({ length: 10_000 }, (_, number) => otherPeer(number)),
      remove: [],
    });
    const processes = await flood(pair);
    const times = [...(await dataPlane.timeChanges(otherPeer(77), 200))].sort((left, right) => left - right);
    assert.ok(processes.every(({ isRunning }) => isRunning));
    const median = times[100] as number;
    assert.ok(median < 10, `median ${median} ms, slowest ${times.at(-1)} ms`);
  }));

function otherPeer(number: number): PeerState {
  const [high, low] = [number >> 8, number & 255];
  return {
    subnet: parsePrefix(`10.${100 + high}.${low}.0/24`),
    publicIp: parseAddress(`198.19.${high}.${low}`),
    port: 8285,
  };
}
