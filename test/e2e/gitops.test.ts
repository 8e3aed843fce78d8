/**
 * The fleet in Git, applied: edge-1 publishes the network, the others take it from etcd.
 *
 *      etcd         edge-1       edge-2       edge-3
 *   10.8.64.10    10.8.65.1    10.8.65.2    10.8.65.3
 *       └────────────┴─────┬──────┴────────────┘
 *                      underlay
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { startEtcdOn } from '../lab/etcd-host.js';
import { flannelette, repositoryRoot } from '../lab/repository.js';
import { onUnderlay } from '../lab/underlay.js';

const URL = 'http://10.8.64.10:2379';
const COMMAND = { timeoutMs: 30_000 };

test('each host of the fleet applies its own file, and all are in one network', async () => {
  await onUnderlay(async (underlay) => {
    const etcd = await underlay.addHost('etcd', '10.8.64.10');
    await startEtcdOn(etcd, URL);
    for (const number of [1, 2, 3]) {
      const host = await underlay.addHost(`edge-${number}`, `10.8.65.${number}`);
      const file = join(repositoryRoot(), `examples/gitops/hosts/${host.name}/flannelette.yaml`);
      assert.equal(
        (await host.run(flannelette('diff', '-f', file), COMMAND)).code,
        1,
        `${host.name} has drifted`,
      );
      await host.output(flannelette('apply', '-f', file), COMMAND);
      assert.match(
        await host.output(flannelette('diff', '-f', file), COMMAND),
        /^Plan: 0 to create, 0 to update, 0 to delete/m,
      );
      assert.match(await host.readFile('/run/flannel/subnet.env'), /^FLANNEL_NETWORK=10\.5\.0\.0\/16$/m);
    }
    const keys = await etcd.output([
      'etcdctl',
      '--endpoints',
      URL,
      'get',
      '--prefix',
      '--keys-only',
      '/coreos.com/network',
    ]);
    assert.equal(keys.match(/subnets\/10\.5\.\d+\.0-24$/gm)?.length, 3, keys);
    assert.match(keys, /subnets\/10\.5\.34\.0-24$/m, 'edge-3 has the subnet that its file pins');
  });
});
