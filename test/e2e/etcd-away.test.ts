/** etcd is away when a host starts: it goes on with what etcd said last, and is corrected when etcd is back. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ETCD_URL } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { eventually } from '../lab/eventually.js';
import { onSites, reaches, siteAt } from '../lab/sites.js';
import { leasesOf } from '../lab/store-content.js';

/** A machine with two cores that others use too; a second is what an idle one is held to. */
const STARTED_MS = 15_000;
const BACK_MS = 10_000;

const RECORD = '/var/lib/flannelette/flannel0/store.json';

/** What a boot leaves of a host: the disk. docker0 stays, for the container's sake. */
const BOOT = 'ip link delete flannel0; rm -r /run/flannel /run/flannelette; iptables -F FLANNEL-FWD';

test('a host that boots while etcd is away carries packets, and follows etcd when it is back', {
  timeout: 120_000,
}, async (t) => {
  await onSites({ hosts: 2 }, async (sites, cluster) => {
    const [first, second] = [siteAt(sites, 0), siteAt(sites, 1)];
    const { host, address } = first.member;
    await eventually('both are remembered', 40_000, async () => {
      const record = await host.readFile(RECORD);
      assert.ok(
        [address, second.member.address].every((ip) => record.includes(`\\"${ip}\\"`)),
        record,
      );
    });
    const [lease] = await leasesOf(cluster, address);
    first.daemon.signal('SIGKILL');
    cluster.etcdProcess.signal('SIGKILL');
    await Promise.all([first.daemon.exited, cluster.etcdProcess.exited]);
    await host.script(BOOT);
    await host.script(`sed -i 's/"bootId":"[^"]*"/"bootId":"the one before"/' ${RECORD}`);

    const startedAt = performance.now();
    const daemon = first.member.start();
    await daemon.waitForLine(/"msg":"ready"/, STARTED_MS);
    const readyMs = performance.now() - startedAt;
    await reaches(first.container, second.container.address);
    t.diagnostic(`ready ${Math.round(readyMs)} ms after the start, without etcd`);
    // It is ready before it has given etcd up.
    await eventually('etcd is missed', BACK_MS, async () => {
      const { store, conditions } = await statusOf(host);
      assert.deepEqual([store.status, conditions.map(({ type }) => type)], ['stale', ['EtcdUnavailable']]);
    });

    await startEtcdOn(cluster.etcd, ETCD_URL);
    const etcdBackAt = performance.now();
    await eventually('etcd is followed again', BACK_MS, async () => {
      const { store, conditions, ready } = await statusOf(host);
      assert.deepEqual([store.status, conditions, ready], ['live', [], true]);
    });
    t.diagnostic(`etcd followed ${Math.round(performance.now() - etcdBackAt)} ms after it served`);
    const after = await leasesOf(cluster, address);
    assert.deepEqual(after, [lease], 'nothing was written');
    await reaches(first.container, second.container.address);
  });
});
