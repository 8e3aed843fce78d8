/** Each backend's example, applied to a host with a real kernel and a real etcd, beside another host's lease. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { BACKENDS } from '../../src/model/backends/table.js';
import { memberAt, onCluster } from '../lab/cluster.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import { repositoryRoot } from '../lab/repository.js';

const OTHER =
  '{"PublicIP":"10.8.65.2","BackendType":"TYPE","BackendData":{"VNI":1,"VtepMAC":"6e:2d:41:e6:74:de"}}';
/** flannel writes none for these. */
const WITHOUT_TYPE = ['udp', 'alloc'];
/** Of the files, and of what the example makes for the other host: a route that its command made is not marked. */
const MADE: Readonly<Record<string, RegExp>> = {
  udp: /^\+ .*4\.0\.0\.0\/16 dev flannel0 /m,
  vxlan: /^\+ .*4\.0\.32\.0\/24 via 10\.8\.65\.2 dev eth0\b/m,
  'host-gw': /^\+ .*4\.0\.32\.0\/24 via 10\.8\.65\.2 dev eth0\b/m,
  alloc: /./,
  extension: /^\+ .*4\.0\.32\.0\/24 via 10\.8\.65\.2 dev eth0\b/m,
};

test("each backend's example is applied, is in sync then, and goes again", {
  timeout: 120_000,
}, async (t) => {
  await onCluster({ hosts: 1 }, async (cluster) => {
    const member = memberAt(cluster, 0);
    const { host, configPath } = member;
    const must = async (verb: string, ...args: readonly string[]) => {
      const { code, stdout, stderr } = await member.command(verb, ...args);
      assert.equal(code, 0, `${verb}: ${stdout}${stderr}`);
    };
    // These are nobody's to take back.
    await host.script('iptables -P FORWARD ACCEPT; echo 1 >/proc/sys/net/ipv4/ip_forward');
    for (const { type } of BACKENDS) {
      await t.test(type, async () => {
        const value = WITHOUT_TYPE.includes(type) ? '{"PublicIP":"10.8.65.2"}' : OTHER.replace('TYPE', type);
        await cluster.etcdctl('del', '--prefix', '/coreos.com/network/');
        await cluster.etcdctl('put', '/coreos.com/network/subnets/4.0.32.0-24', value);
        const example = join(repositoryRoot(), `examples/backends/${type}.yaml`);
        await host.writeFile(configPath, await readFile(example, 'utf8'));
        const before = await worldOf(host);
        await must('apply');
        await must('diff');
        assert.match(worldDifference(before, await worldOf(host)).join('\n'), MADE[type] ?? /never/);
        await must('destroy', '--lease');
        assert.deepEqual(worldDifference(before, await worldOf(host)), [], 'nothing is left');
      });
    }
  });
});
