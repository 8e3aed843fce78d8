/**
 * What is done to the leases in etcd while A pings C all along. Nothing on a host is removed on a guess, and nothing
 * that is another host's is fought for.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { PingStream } from '../lab/ping-stream.js';
import { onSites, siteAt } from '../lab/sites.js';
import { leasesOf, storeOf } from '../lab/store-content.js';

/** Far above what is measured: the machine may be busy. */
const NOTICED_MS = 15_000;
const SUBNETS = '/coreos.com/network/subnets';

const conditionsOf = async (host: Parameters<typeof statusOf>[0]) =>
  (await statusOf(host)).conditions.map(({ type }) => type);

test('leases that are tampered with', { timeout: 240_000 }, async (t) => {
  await onSites({ hosts: 2 }, async (sites, cluster) => {
    const [first, second] = [siteAt(sites, 0), siteAt(sites, 1)];
    const { host, address } = first.member;
    const keysOf = async () => (await storeOf(cluster)).keys.map(({ key, value }) => `${key} ${value}`);

    await t.test(
      'all of them deleted at once: every host takes its own again, and no packet is lost',
      async () => {
        const before = await keysOf();
        const stream = await PingStream.start(first.container, second.container.address);
        await cluster.etcdctl('del', '--prefix', `${SUBNETS}/`);
        const deletedAt = performance.now();
        await eventually('all is as it was', NOTICED_MS, async () =>
          assert.deepEqual(await keysOf(), before),
        );
        const ms = Math.round(performance.now() - deletedAt);
        const { lost } = await stream.finish();
        t.diagnostic(`all leases deleted: back after ${ms} ms; pings: ${lost} lost`);
        assert.equal(lost, 0);
      },
    );

    await t.test('a host that is gone for good is let go of after the grace', async () => {
      const ghosts = [7, 8, 9].map((ghost) => `${SUBNETS}/4.0.${ghost}.0-24`);
      for (const [index, key] of ghosts.entries())
        await cluster.etcdctl('put', key, `{"PublicIP":"10.8.65.9${index}","PublicIPv6":null}`);
      const rows = async () => (await statusOf(host)).peers.length;
      await eventually('they are peers', NOTICED_MS, async () => assert.equal(await rows(), 4));
      await cluster.etcdctl('del', '--prefix', `${SUBNETS}/`);
      const deletedAt = performance.now();
      await eventually('it is told', NOTICED_MS, async () =>
        assert.ok((await conditionsOf(host)).includes('LeasesVanished')),
      );
      assert.equal(await rows(), 4);
      await eventually('they are peers no more', NOTICED_MS, async () => assert.equal(await rows(), 1));
      t.diagnostic(`rows of hosts that are gone: kept ${Math.round(performance.now() - deletedAt)} ms`);
      assert.ok(performance.now() - deletedAt >= 9_000);
    });

    await t.test(
      'a stolen one: nothing is forwarded into it, it is told, then another is taken',
      async () => {
        const [lease] = await leasesOf(cluster, address);
        assert.ok(lease);
        const theirs = '{"PublicIP":"10.8.65.99","PublicIPv6":null}';
        await cluster.etcdctl('put', lease.key, theirs);
        const stolenAt = performance.now();
        await first.daemon.waitForLine(/"verb":"delete","key":"forwarder:flannel0"/, NOTICED_MS);
        const stoppedMs = Math.round(performance.now() - stolenAt);
        const told = await statusOf(host);
        assert.deepEqual(
          told.conditions.filter(({ type }) => /^(Lease|Renumber)/.test(type)).map(({ type }) => type),
          ['LeaseConflict', 'RenumberRequired'],
        );
        assert.deepEqual(told.peers, []);
        await eventually('it has another', NOTICED_MS, async () => {
          const { ready, network } = await statusOf(host);
          assert.equal(ready, true);
          assert.ok(!lease.key.endsWith(`${network?.subnets[0]?.replace('/', '-')}`));
        });
        const env = await host.readFile('/run/flannel/subnet.env');
        const [own] = await leasesOf(cluster, address);
        assert.ok(env.includes(`${own?.key.split('/').at(-1)?.split('-')[0]?.replace(/\.0$/, '.1')}`), env);
        const { keys } = await storeOf(cluster);
        assert.equal(keys.find(({ key }) => key === lease.key)?.value, theirs);
        assert.ok((await conditionsOf(host)).includes('DockerOutOfStep'));
        t.diagnostic(`lease stolen: forwarding stopped after ${stoppedMs} ms`);
      },
    );
  });
});
