/**
 * The main job: hosts with one file are one network for their containers.
 *
 *    A .3   B .5            C .3
 *      └─┬──┘                │
 *     docker0             docker0
 *      host1 ── flannel0 ═ UDP 8285 ═ flannel0 ── host2
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Cluster, memberAt, onCluster } from '../lab/cluster.js';
import type { Container, DockerBridge } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import { transfers } from '../lab/tcp-transfer.js';

async function withContainers(
  body: (scene: {
    cluster: Cluster;
    a: Container;
    b: Container;
    c: Container;
    bridges: readonly DockerBridge[];
  }) => Promise<void>,
): Promise<void> {
  await onCluster({ hosts: 2 }, async (cluster) => {
    await Promise.all(cluster.members.map((member) => member.run()));
    const [bridge1, bridge2] = await Promise.all(cluster.members.map((member) => member.docker()));
    assert.ok(bridge1 && bridge2);
    const a = await bridge1.addContainer('A', 3);
    const b = await bridge1.addContainer('B', 5);
    const c = await bridge2.addContainer('C', 3);
    await body({ cluster, a, b, c, bridges: [bridge1, bridge2] });
  });
}

test('containers of two hosts reach each other', { timeout: 120_000 }, async (t) => {
  await withContainers(async ({ cluster, a, b, c }) => {
    const host1 = memberAt(cluster, 0);
    const subnetBase = a.address.replace(/\.3$/, '.0');

    await t.test('A and B over docker0', async () => {
      assert.match(await a.output(['ping', '-c', '2', '-i', '0.2', '-W', '2', b.address]), / 0% packet loss/);
    });

    await t.test('A and C over flannel0, with the TTL that flannel leaves', async () => {
      // The peer may have become known a moment ago.
      const printed = await eventually('A reaches C', 5_000, () =>
        a.output(['ping', '-c', '1', '-W', '1', c.address]),
      );
      assert.match(printed, /ttl=60 /);
    });

    await t.test('with packets as large as the MTU, not to be fragmented', async () => {
      // 1472 less IPv4 20 and ICMP 8.
      assert.match(
        await a.output(['ping', '-M', 'do', '-s', '1444', '-c', '2', '-i', '0.2', c.address]),
        / 0% packet loss/,
      );
      const { code, stdout, stderr } = await a.run([
        'ping',
        '-M',
        'do',
        '-s',
        '1445',
        '-c',
        '1',
        '-W',
        '1',
        c.address,
      ]);
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, /[Mm]essage too long.*mtu=1472/);
    });

    await t.test('twenty megabytes over TCP, unchanged', () =>
      transfers(c, `${c.address}:5000`, a, 20_000_000),
    );

    await t.test('the host reaches the containers of the other host, as its flannel0', async () => {
      assert.match(
        await host1.host.output(['ping', '-c', '2', '-i', '0.2', '-W', '2', c.address]),
        / 0% packet loss/,
      );
    });

    await t.test('a subnet that nobody holds is unreachable, and the container is told', async () => {
      const { stdout } = await a.run(['ping', '-c', '1', '-W', '2', '4.0.255.9']);
      assert.match(
        stdout,
        new RegExp(`From ${subnetBase.replaceAll('.', '\\.')} .*Destination Net Unreachable`),
      );
    });

    await t.test('traceroute shows every hop', async () => {
      const printed = await a.output(['traceroute', '-n', '-q', '1', '-w', '2', c.address], {
        timeoutMs: 30_000,
      });
      const hops = printed
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/)[1]);
      const [gatewayA, tunA] = [a.address.replace(/\.3$/, '.1'), subnetBase];
      const tunC = c.address.replace(/\.3$/, '.0');
      assert.deepEqual(hops, [gatewayA, tunA, tunC, tunC, c.address], printed);
    });
  });
});

test('what is on a host is what flannel leaves there', { timeout: 120_000 }, async (t) => {
  await onCluster({ hosts: 2 }, async (cluster) => {
    const { members, etcdctl } = cluster;
    await Promise.all(members.map((member) => member.run()));
    const { host, address } = memberAt(cluster, 0);
    const env = await host.readFile('/run/flannel/subnet.env');
    const subnet = /FLANNEL_SUBNET=(\S+)\.1\/24/.exec(env)?.[1] ?? 'none';

    await t.test('the files', async () => {
      assert.equal(
        env,
        `FLANNEL_NETWORK=4.0.0.0/16\nFLANNEL_SUBNET=${subnet}.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n`,
      );
      assert.equal(
        await host.readFile('/run/flannel/docker'),
        `DOCKER_OPT_BIP="--bip=${subnet}.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=true"\nDOCKER_OPT_MTU="--mtu=1472"\n` +
          `DOCKER_NETWORK_OPTIONS=" --bip=${subnet}.1/24 --ip-masq=true --mtu=1472"\n`,
      );
      assert.equal(
        await host.output(['stat', '-c', '%a %n', '/run/flannel/subnet.env', '/run/flannel/docker']),
        '644 /run/flannel/subnet.env\n644 /run/flannel/docker\n',
      );
    });

    await t.test('etcd: the network, and a lease of 24 hours for each host', async () => {
      const entries = (await etcdctl('get', '--prefix', '/coreos.com/network/')).trim().split('\n');
      assert.equal(entries.length, 6);
      assert.deepEqual(entries.slice(0, 2), [
        '/coreos.com/network/config',
        '{"Network":"4.0.0.0/16","SubnetLen":24,"Backend":{"Type":"udp","Port":8285}}',
      ]);
      assert.ok(entries.includes(`/coreos.com/network/subnets/${subnet}.0-24`));
      assert.ok(entries.includes(`{"PublicIP":"${address}","PublicIPv6":null}`));
      const leases = (await etcdctl('lease', 'list')).trim().split('\n').slice(1);
      assert.equal(leases.length, 2);
      for (const lease of leases)
        assert.match(await etcdctl('lease', 'timetolive', lease), /granted with TTL\(86400s\)/);
    });

    await t.test('the device, its address and its route', async () => {
      const link = await host.output(['ip', '-d', 'address', 'show', 'flannel0']);
      assert.match(link, /<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1472 /);
      assert.match(link, /tun type tun pi off vnet_hdr o(n|ff) persist on/);
      assert.match(link, new RegExp(`inet ${subnet}\\.0/32 scope global flannel0`));
      const routes = (await host.output(['ip', 'route']))
        .trim()
        .split('\n')
        .map((line) => line.trim());
      assert.ok(routes.includes('4.0.0.0/16 dev flannel0 proto 77'), routes.join('\n'));
    });

    await t.test('the way through a FORWARD policy of DROP', async () => {
      const rules = await host.output(['iptables', '-S']);
      assert.match(rules, /-A FORWARD .*-j FLANNEL-FWD/);
      assert.match(rules, /-A FLANNEL-FWD -s 4\.0\.0\.0\/16 .*-j ACCEPT/);
      assert.match(rules, /-A FLANNEL-FWD -d 4\.0\.0\.0\/16 .*-j ACCEPT/);
    });

    await t.test('the socket of the packets', async () => {
      assert.match(await host.output(['ss', '-uanp']), new RegExp(`${address.replaceAll('.', '\\.')}:8285 `));
    });
  });
});
