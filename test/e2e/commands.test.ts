/**
 * The commands as an operator uses them, one after the other: look, change, look again, run, remove.
 *
 *    container            container
 *        │                    │
 *      host1 ═════ UDP ═════ host2         host1 is the one looked at
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { StatusReport } from '../../src/model/status.js';
import { ARTICLE_CONFIG, type Cluster, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import type { LongProcess, ProcessResult } from '../lab/process.js';
import { flannelette } from '../lab/repository.js';
import { changesDuring } from '../lab/silence.js';
import { reaches, withContainer } from '../lab/sites.js';
import { leasesOf, type StoreContent, storeOf } from '../lab/store-content.js';

const HEALED_MS = 30_000;
/** Among the foreign objects that are there from the start. */
const INTRUDER =
  /^ {2}! route:4\.0\.250\.0\/24 +not ours, and inside the network: dev eth0 via 10\.8\.0\.1$/m;
const OTHER_MTU = `network:
  cidr: 4.0.0.0/16
  mtu: 1400
store:
  etcd: { endpoints: ["http://10.8.64.10:2379"] }
`;

test('from an untouched host to a running one and back', { timeout: 180_000 }, async (t) => {
  await onCluster({ hosts: 2 }, async (cluster) => {
    const [member, other] = [memberAt(cluster, 0), memberAt(cluster, 1)];
    const { host } = member;
    await makeForeignObjects(cluster);
    const untouched = await worldOf(host);
    const planned: string[] = [];

    await t.test('diff shows what is missing, and writes nothing anywhere', async () => {
      const before = await storeOf(cluster);
      const changes = await changesDuring(host, async () => {
        const { code, stdout, stderr } = await member.command('diff');
        assert.equal(code, 1, stderr);
        planned.push(...operations(stdout));
        assert.match(lastLine(stdout), /^Plan: 8 to create, 2 to update, 0 to delete, 1 foreign left alone$/);
        assert.match(stdout, INTRUDER);
      });
      assert.deepEqual(changes, []);
      assert.equal(planned.length, 10);
      assert.deepEqual(worldDifference(untouched, await worldOf(host)), []);
      assert.deepEqual(await storeOf(cluster), before);
    });

    await t.test('apply does exactly what diff showed', async () => {
      const { code, stdout, stderr } = await member.command('apply');
      assert.equal(code, 0, stderr);
      assert.deepEqual(operations(stdout), planned);
      assert.equal(lastLine(stdout), 'Apply: 10 done, converged');
      assert.match(stderr, /forwards nothing until `flannelette run` is started/);
      await assertInPlace(cluster);
    });

    const applied = await worldOf(host);
    const leased = await storeOf(cluster);

    await t.test('a second apply has nothing to do, and diff has nothing to show', async () => {
      const again = await member.command('apply');
      assert.equal(again.code, 0, again.stderr);
      assert.equal(again.stdout, 'Apply: 0 done, converged\n');
      const diff = await member.command('diff');
      assert.equal(diff.code, 0, diff.stderr);
      assert.equal(
        lastLine(diff.stdout),
        'Plan: 0 to create, 0 to update, 0 to delete, 1 foreign left alone',
      );
      assert.deepEqual(worldDifference(applied, await worldOf(host)), []);
      assert.deepEqual(await storeOf(cluster), leased);
    });

    await t.test('status without a daemon says so', async () => {
      const { code, stdout, stderr } = await member.command('status');
      assert.equal(code, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^No daemon answers at \/run\/flannelette\/flannel0\.sock: start one with/);
    });

    const daemon = await adopts(t, cluster, applied, leased);

    await t.test('packets flow, and status counts them', async () => {
      await other.run();
      const [near, far] = [await withContainer(member), await withContainer(other)];
      await reaches(near.container, far.container.address);
      const { code, stdout, stderr } = await member.command('status', '-o', 'json');
      assert.equal(code, 0, stderr);
      const report = JSON.parse(stdout) as StatusReport;
      assert.equal(report.ready, true);
      for (const { key, state, since, reason } of report.objects) {
        const isIntruder = key === 'route:4.0.250.0/24';
        assert.deepEqual([state, reason === ''], isIntruder ? ['foreign', false] : ['in-sync', true], key);
        assert.match(since, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, key);
      }
      assert.equal(report.peers.length, 1);
      assert.equal(report.peers[0]?.publicIp, other.address);
      assert.ok((report.peers[0]?.receivedPackets ?? 0) > 0, 'the peer was heard');
      assert.ok(report.traffic.sentPackets > 0 && report.traffic.receivedPackets > 0, 'packets were counted');
    });

    await t.test('explain tells why the route is there, and events what was done', async () => {
      const explained = await member.command('explain', 'route:4.0.0.0/16');
      assert.equal(explained.code, 0, explained.stderr);
      assert.match(explained.stdout, /^ {2}state {5}in-sync since /m);
      assert.match(explained.stdout, /^ {2}file {6}\/run\/flannelette\.yaml:2, network\.cidr$/m);
      const told = await member.host.run(flannelette('events', '--file', member.configPath));
      assert.match(told.stdout, / {2}changed {2}kind=forwarder {2}verb=create {2}key=forwarder:flannel0 /);
    });

    await t.test('a daemon with nothing to do writes nothing', async () => {
      const before = await storeOf(cluster);
      const lines = daemon.lines.length;
      // diff reads everything that the daemon reads, and tells how long to look.
      const changes = await changesDuring(host, async () => {
        assert.equal((await member.command('diff')).code, 0);
      });
      // The bridge that got its first port a moment ago settles by itself; flannel0 has no link/ether line.
      const ofTheBridge = /^\d+: docker0: |^ +link\/ether /;
      assert.deepEqual(
        changes.filter((line) => !ofTheBridge.test(line)),
        [],
      );
      assert.deepEqual(daemon.lines.slice(lines), []);
      assert.deepEqual(await storeOf(cluster), before);
    });

    await t.test('apply beside a daemon goes through the daemon', async () => {
      const same = await member.command('apply');
      assert.deepEqual([same.code, same.stdout], [0, 'Apply: 0 done, converged\n'], same.stderr);
      await host.writeFile(member.configPath, OTHER_MTU);
      const { code, stderr } = await member.command('apply', '-o', 'json');
      assert.equal(code, 0, stderr);
      assert.match(await host.output(['ip', 'link', 'show', 'flannel0']), / mtu 1400 /);
      assert.match(await host.readFile('/run/flannel/subnet.env'), /^FLANNEL_MTU=1400$/m);
      assert.equal((await statusOf(host)).network?.mtu, 1400);
    });

    await t.test('whoever else wants the instance is told who holds it', async () => {
      for (const verb of ['run', 'destroy']) {
        const { code, stderr } = await member.command(verb);
        assert.equal(code, 75, stderr);
        assert.equal(
          stderr,
          `Cannot hold instance "flannel0": process ${daemon.pid} holds it; stop that first, or wait for its end\n`,
        );
      }
    });

    await t.test('a daemon that is told to stop leaves all in place', async () => {
      const running = await worldOf(host);
      assert.equal(await daemon.stop(), 0);
      assert.deepEqual(worldDifference(running, await worldOf(host)), []);
    });

    await t.test('destroy removes what is ours and nothing else, and the subnet stays ours', async () => {
      await host.script('ip link delete docker0; ip link delete veth3');
      await host.writeFile(member.configPath, ARTICLE_CONFIG);
      const { code, stdout, stderr } = await member.command('destroy');
      assert.equal(code, 0, stderr);
      assert.equal(lastLine(stdout), 'Destroy: 6 done, converged');
      await host.script('test ! -e /run/flannelette/flannel0.forwarding.json');
      await assertAsBefore(cluster, untouched);
      assert.equal((await leasesOf(cluster, member.address)).length, 1);
    });

    await t.test('destroy --lease gives the subnet back', async () => {
      const { code, stdout, stderr } = await member.command('destroy', '--lease');
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^ {2}- lease:4\.0\.\d+\.0-24/m);
      assert.deepEqual(await leasesOf(cluster, member.address), []);
      // The other host's own.
      assert.equal((await cluster.etcdctl('lease', 'list')).trim().split('\n').length, 2);
      assert.match(await cluster.etcdctl('get', '/coreos.com/network/config'), /4\.0\.0\.0\/16/);
      await assertAsBefore(cluster, untouched);
    });
  });
});

/** run takes over what apply left: nothing is made anew, in the kernel or in etcd. */
async function adopts(
  t: test.TestContext,
  cluster: Cluster,
  applied: string,
  leased: StoreContent,
): Promise<LongProcess> {
  const member = memberAt(cluster, 0);
  const index = await interfaceIndex(cluster);
  const daemon = await member.run();
  await t.test('run adopts what apply left', async () => {
    assert.equal(await interfaceIndex(cluster), index);
    assert.deepEqual(worldDifference(applied, await worldOf(member.host)), []);
    assert.deepEqual(await storeOf(cluster), leased);
    const changed = daemon.lines.filter((line) => line.includes('"msg":"changed"'));
    assert.equal(changed.length, 1, changed.join('\n'));
    assert.match(changed[0] ?? '', /"kind":"forwarder","verb":"create"/);
    await eventually('ready by its own account', HEALED_MS, async () => {
      const { code } = await member.command('status');
      assert.equal(code, 0);
    });
  });
  return daemon;
}

/** What is not ours, in every place where ours will be. */
async function makeForeignObjects(cluster: Cluster): Promise<void> {
  await memberAt(cluster, 0).host.script(`
ip link add veth8 type veth peer name veth9
ip link set veth8 up
ip route add 4.0.250.0/24 via 10.8.0.1
ip route add 203.0.113.0/24 via 10.8.0.1 proto 78
iptables -P FORWARD DROP
iptables -A FORWARD -i eth0 -s 198.51.100.0/24 -j ACCEPT
iptables -t nat -A POSTROUTING -s 198.51.100.0/24 -j MASQUERADE
nft add table ip other
nft add chain ip other input '{ type filter hook input priority 0; }'
mkdir /run/flannel
echo kept >/run/flannel/other.env`);
}

async function assertInPlace(cluster: Cluster): Promise<void> {
  const { host, address } = memberAt(cluster, 0);
  const link = await host.output(['ip', '-d', 'address', 'show', 'flannel0']);
  assert.match(link, /NO-CARRIER.*UP.* mtu 1472 /);
  assert.match(link, /tun type tun pi off vnet_hdr o(n|ff) persist on/);
  const subnet = /inet (4\.0\.\d+)\.0\/32 scope global flannel0/.exec(link)?.[1];
  assert.match(await host.output(['ip', 'route']), /^4\.0\.0\.0\/16 dev flannel0 proto 77/m);
  const rules = await host.output(['iptables', '-S']);
  assert.match(rules, /^-A FORWARD .*-j FLANNEL-FWD$/m);
  assert.match(rules, /^-A FLANNEL-FWD -s 4\.0\.0\.0\/16 .*-j ACCEPT$/m);
  assert.match(
    await host.readFile('/run/flannel/subnet.env'),
    new RegExp(`^FLANNEL_SUBNET=${subnet}\\.1/24$`, 'm'),
  );
  assert.match(await host.readFile('/run/flannel/docker'), new RegExp(`--bip=${subnet}\\.1/24`));
  assert.equal(await host.output(['cat', '/proc/sys/net/ipv4/ip_forward']), '1\n');
  const [lease] = await leasesOf(cluster, address);
  assert.equal(lease?.key, `/coreos.com/network/subnets/${subnet}.0-24`);
  assert.match(
    await cluster.etcdctl('lease', 'timetolive', BigInt(lease?.lease ?? 0).toString(16)),
    /granted with TTL\(86400s\)/,
  );
}

async function assertAsBefore(cluster: Cluster, untouched: string): Promise<void> {
  const left = worldDifference(untouched, await worldOf(memberAt(cluster, 0).host))
    // Docker's rules are foreign as well.
    .filter((line) => !line.includes('docker0'));
  // Forwarding stays on: who else relies on it cannot be known.
  assert.deepEqual(left, ['- ip_forward 0', '+ ip_forward 1']);
}

async function interfaceIndex(cluster: Cluster): Promise<string> {
  const link = await memberAt(cluster, 0).host.output(['ip', '-oneline', 'link', 'show', 'flannel0']);
  return link.split(':')[0] ?? '';
}

function operations(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => /^ {2}[-+~] /.test(line));
}

function lastLine(stdout: ProcessResult['stdout']): string {
  return stdout.trimEnd().split('\n').at(-1) ?? '';
}
