/**
 * Three hosts, and what becomes of their network when a daemon starts late, is killed, or is told to stop.
 *
 *    A            B            C       one container each
 *    │            │            │
 *  host1 ═══════ host2 ═══════ host3
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Member, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import { PingStream } from '../lab/ping-stream.js';
import { reachEachOther, withContainer } from '../lab/sites.js';
import { leasesOf } from '../lab/store-content.js';

/** What is promised to whoever waits for the daemon to end. */
const STOP_MS = 1_000;
const KNOWN_MS = 30_000;

test('three hosts, one of them late', { timeout: 180_000 }, async (t) => {
  await onCluster({ hosts: 3 }, async (cluster) => {
    const [late, second, third] = [memberAt(cluster, 0), memberAt(cluster, 1), memberAt(cluster, 2)];
    const applied = await late.command('apply');
    assert.equal(applied.code, 0, applied.stderr);
    const [killed, stopped] = await Promise.all([second.run(), third.run()]);
    const [a, b, c] = [
      (await withContainer(late)).container,
      (await withContainer(second)).container,
      (await withContainer(third)).container,
    ];

    await t.test(
      'a host that was only applied has its subnet; the others know it and do without it',
      async () => {
        await reachEachOther([b, c]);
        const [lease] = await leasesOf(cluster, late.address);
        for (const { host } of [second, third]) {
          const peers = await eventually('all peers are known', KNOWN_MS, async () => {
            const known = (await statusOf(host)).peers;
            assert.equal(known.length, 2);
            return known;
          });
          assert.ok(peers.some(({ publicIp }) => publicIp === late.address));
        }
        const { code } = await b.run(['ping', '-c', '1', '-W', '1', a.address]);
        assert.notEqual(code, 0, 'nobody forwards there yet');
        await late.run();
        await reachEachOther([a, b, c]);
        assert.deepEqual(await leasesOf(cluster, late.address), [lease]);
      },
    );

    await t.test('a daemon that is killed and started again goes on where it was', async () => {
      const before = { lease: await leasesOf(cluster, second.address), index: await tunIndex(second) };
      const world = await worldOf(second.host);
      const stream = await PingStream.start(a, b.address);
      const start = performance.now();
      killed.signal('SIGKILL');
      assert.equal(await killed.exited, 137);
      const next = await second.run();
      t.diagnostic(`ready ${Math.round(performance.now() - start)} ms after the kill, Node's start included`);
      const { lost, longestOutageMs } = await stream.finish();
      t.diagnostic(`pings to the killed host: ${lost} lost, outage ${longestOutageMs} ms`);
      assert.ok(lost > 0, 'the daemon carried the packets');
      assert.deepEqual(
        { lease: await leasesOf(cluster, second.address), index: await tunIndex(second) },
        before,
      );
      assert.deepEqual(worldDifference(world, await worldOf(second.host)), []);
      const changed = next.lines.filter((line) => line.includes('"msg":"changed"'));
      for (const line of changed) assert.match(line, /"kind":"(forwarder|peer)","verb":"create"/);
      await reachEachOther([a, b, c]);
    });

    await t.test('a daemon that is told to stop under full load is gone within a second', async () => {
      c.spawn(['iperf3', '--server', '--one-off']);
      const load = await eventually('traffic flows', KNOWN_MS, async () => {
        const client = a.spawn([
          'iperf3',
          '--client',
          c.address,
          '--time',
          '60',
          '--interval',
          '0.2',
          '--forceflush',
        ]);
        await client.waitForLine(/[1-9]\d* .bits\/sec/, 5_000);
        return client;
      });
      const world = await worldOf(third.host);
      const start = performance.now();
      stopped.signal('SIGTERM');
      assert.equal(await stopped.exited, 0);
      const ms = Math.round(performance.now() - start);
      t.diagnostic(`gone ${ms} ms after SIGTERM, under iperf3`);
      assert.ok(ms <= STOP_MS, `took ${ms} ms`);
      assert.match(stopped.lines.at(-1) ?? '', /"msg":"stopped"/);
      assert.deepEqual(worldDifference(world, await worldOf(third.host)), []);
      assert.equal((await leasesOf(cluster, third.address)).length, 1);
      await load.stop();
    });
  });
});

async function tunIndex({ host }: Member): Promise<string> {
  return (await host.output(['ip', '-oneline', 'link', 'show', 'flannel0'])).split(':')[0] ?? '';
}
