/**
 * From flanneld to flannelette on a live host, as docs/migrating-from-flannel.md tells it, and both in one network.
 *
 *    container .2            container .3
 *        │                       │
 *     docker0                 docker0
 *      host1 ═══════ UDP ═══════ host2       flanneld ran on host1, and its containers go on
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type Cluster, ETCD_URL, type Member, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import type { Container } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import { FLANNEL_PREFIX, leaseOfFlanneld, leaveAsFlanneld } from '../lab/flanneld-leftovers.js';
import { FlanneldPeer } from '../lab/flanneld-peer.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import type { ProcessResult } from '../lab/process.js';
import { flannelette, repositoryRoot } from '../lab/repository.js';
import { reachEachOther, reaches, withContainer } from '../lab/sites.js';
import { leasesOf, storeOf } from '../lab/store-content.js';

const HEALED_MS = 10_000;
/** As captured. */
const NETWORK = { cidr: '10.1.0.0/16', subnet: '10.1.63' };
const NET_CONF = '{"Network":"10.1.0.0/16","Backend":{"Type":"udp","Port":8285}}';
const OLD_OPTIONS = `FLANNEL_ETCD_ENDPOINTS="${ETCD_URL}"\nFLANNEL_ETCD_PREFIX="${FLANNEL_PREFIX}"\nFLANNEL_OPTIONS="-iface=eth0 -ip-masq=true"\n`;
/** The other host follows the network in etcd. */
const FOLLOWER = `network:\n  ipMasq: true\nstore:\n  etcd: { endpoints: ["${ETCD_URL}"] }\n`;

test('a live host goes from flanneld to flannelette and keeps its subnet', {
  timeout: 180_000,
}, async (t) => {
  await onCluster({ hosts: 2, config: FOLLOWER }, async (cluster) => {
    const [member, other] = [memberAt(cluster, 0), memberAt(cluster, 1)];
    const { host } = member;
    await cluster.etcdctl('put', `${FLANNEL_PREFIX}/config`, NET_CONF);
    const etcdLease = await leaveAsFlanneld(cluster, member, NETWORK);
    const near = await dockerized(member);
    await other.run();
    const { container: far } = await withContainer(other);
    const leased = await leasesOf(cluster, member.address);

    await t.test('convert makes the file out of what flanneld was given', async () => {
      const { code, stdout, stderr } = await converted(member);
      assert.deepEqual([code, stdout, stderr], [0, '', '']);
      assert.equal((await member.command('validate')).stdout, '/run/flannelette.yaml: valid\n');
      assert.match(await host.readFile(member.configPath), /^ {2}cidr: 10\.1\.0\.0\/16 # Network \(.*\)$/m);
    });

    await t.test('while flanneld runs, diff names its device', async () => {
      await host.script('ip tuntap add flannel0 mode tun; ip link set flannel0 mtu 1472 up');
      const { code, stdout } = await member.command('diff');
      assert.equal(code, 7, stdout);
      assert.match(stdout, /^ {2}! link:flannel0 +not ours: /m);
      await host.script('ip link delete flannel0');
    });

    await t.test('diff shows what flanneld took with it, and of what it left what nobody wants', async () => {
      const { code, stdout, stderr } = await member.command('diff');
      assert.equal(code, 1, stderr);
      assert.match(stdout, /^Plan: 4 to create, 1 to update, 0 to delete, 1 foreign left alone$/m);
      assert.match(
        stdout,
        /^ {2}! iptables-chain:nat FLANNEL-POSTRTG +left by flannel: apply --adopt takes it away$/m,
      );
      assert.doesNotMatch(stdout, /lease|file:|network-config|FLANNEL-FWD/);
    });

    await t.test('apply takes over subnet, lease and files as they are', async () => {
      const [before, files] = [await worldOf(host), await filesOf(member)];
      const { code, stderr } = await member.command('apply');
      assert.equal(code, 0, stderr);
      assert.deepEqual(await leasesOf(cluster, member.address), leased);
      assert.equal(await configOf(cluster), NET_CONF);
      assert.match(await host.output(['ip', 'address', 'show', 'flannel0']), / inet 10\.1\.63\.0\/32 /);
      // Docker's bridge, the files and all rules are as they were; the files were not even written.
      assert.equal(await filesOf(member), files);
      const gone = worldDifference(before, await worldOf(host)).filter((line) => line.startsWith('- '));
      assert.deepEqual(gone, ['- conf/flannel0/accept_local absent']);
    });

    const remaining = await eventually('three seconds of the lease are over', HEALED_MS, async () => {
      const seconds = await remainingSeconds(cluster, etcdLease);
      assert.ok(seconds <= 86_397, `${seconds} s`);
      return seconds;
    });
    let daemon = await member.run();

    await t.test('run keeps the same etcd lease alive, and the same key', async () => {
      await eventually('the lease is refreshed', HEALED_MS, async () => {
        assert.ok((await remainingSeconds(cluster, etcdLease)) > remaining);
      });
      assert.deepEqual(await leasesOf(cluster, member.address), leased);
      assert.equal(BigInt(leased[0]?.lease ?? 0).toString(16), etcdLease);
      assert.equal(leased[0]?.key, `${FLANNEL_PREFIX}/subnets/10.1.63.0-24`);
    });

    await t.test(
      'the containers that were there all along reach the other host, and are reached',
      async () => {
        await reachEachOther([near, far]);
      },
    );

    await t.test('what flanneld left is named while we run, and goes when we are told to adopt', async () => {
      assert.match(await host.script(manual('See what is left')), /FLANNEL-POSTRTG/);
      const { ready, objects } = await statusOf(host);
      const left = objects.find(({ key }) => key === 'iptables-chain:nat FLANNEL-POSTRTG');
      assert.deepEqual([ready, left?.state], [true, 'foreign']);
      assert.equal(await daemon.stop(), 0);

      const adopted = await member.command('apply', '--adopt');
      assert.equal(adopted.code, 0, adopted.stderr);
      assert.match(adopted.stdout, /- iptables-chain:nat FLANNEL-POSTRTG +left by flannel, not wanted/);
      assert.match(adopted.stdout, /~ iptables-chain:FLANNEL-FWD +left by flannel, adopted/);
      const rules = await host.output(['iptables-save']);
      assert.doesNotMatch(rules, /flanneld masq|FLANNEL-POSTRTG/);
      assert.match(rules, /-A FORWARD .*-j FLANNEL-FWD/);
      assert.match(rules, /-A FLANNEL-FWD -s 10\.1\.0\.0\/16 .*-j ACCEPT/);
      const diff = await member.command('diff');
      assert.equal(diff.code, 0, diff.stdout);
      assert.match(diff.stdout, /, 0 foreign left alone$/m);

      daemon = await member.run();
      await reachEachOther([near, far]);
    });

    await t.test('going back leaves flanneld the subnet, and nothing in its way', async () => {
      assert.equal(await daemon.stop(), 0);
      const { code, stderr } = await member.command('destroy');
      assert.equal(code, 0, stderr);
      assert.deepEqual(await leasesOf(cluster, member.address), leased);
      const links = await host.output(['ip', '-brief', 'link']);
      assert.doesNotMatch(links, /flannel0/);
      assert.doesNotMatch(await host.output(['nft', 'list', 'ruleset']), /flannel/i);
    });
  });
});

test('flanneld and flannelette are one network', { timeout: 120_000 }, async (t) => {
  await onCluster({ hosts: 2, config: FOLLOWER }, async (cluster) => {
    const [member, flannel] = [memberAt(cluster, 0), memberAt(cluster, 1)];
    await cluster.etcdctl('put', `${FLANNEL_PREFIX}/config`, NET_CONF);
    await leaseOfFlanneld(cluster.etcdctl, flannel.address, '10.1.40');
    const peer = await FlanneldPeer.start(flannel.host, flannel.address, '10.1.40.2');
    try {
      await member.run();
      const { container } = await withContainer(member);

      await t.test(
        'a container of ours pings one of flanneld, with the TTL that flannel leaves',
        async () => {
          await reaches(container, '10.1.40.2');
          assert.match(await container.output(['ping', '-n', '-c', '1', '-W', '1', '10.1.40.2']), / ttl=60 /);
        },
      );

      await t.test('what flanneld gets is the bare packet, from port to port', async () => {
        const last = peer.received.at(-1);
        assert.equal(last?.from, `${member.address}:8285`);
        assert.deepEqual([last.packet.source, last.packet.destination], [container.address, '10.1.40.2']);
        // An echo request of 56 bytes: IPv4 20 and ICMP 8 with it, and nothing of ours.
        assert.deepEqual([last.bytes.length, last.bytes[0]], [84, 0x45]);
        assert.equal(last.packet.ttl, 62);
      });

      await t.test('a container of flanneld pings one of ours', async () => {
        peer.ping(container.address, member.address, 7);
        await eventually('the reply arrives', HEALED_MS, () => assert.deepEqual(peer.replies, [7]));
      });

      await t.test('neither has dropped anything of the other', async () => {
        const { stdout } = await member.command('status', '-o', 'json');
        const { peers } = JSON.parse(stdout) as { peers: readonly { publicIp: string; dropped: object }[] };
        assert.deepEqual(
          peers.map(({ publicIp }) => publicIp),
          [flannel.address],
        );
        assert.doesNotMatch(JSON.stringify(peers), /spoofed|malformed/);
      });
    } finally {
      peer.close();
    }
  });
});

/** docker0 and a container, as they were started when flanneld was there. */
async function dockerized(member: Member): Promise<Container> {
  const bridge = await member.docker();
  return bridge.addContainer('A', 2);
}

/** The inputs as an operator has them, the file in its place. */
async function converted(member: Member): Promise<ProcessResult> {
  const { host, configPath } = member;
  await host.writeFile('/run/sysconfig-flanneld', OLD_OPTIONS);
  const netConf = await host.output([
    'etcdctl',
    '--endpoints',
    ETCD_URL,
    'get',
    '--print-value-only',
    `${FLANNEL_PREFIX}/config`,
  ]);
  await host.writeFile('/run/net-conf.json', netConf);
  const inputs = ['--env-file', '/run/sysconfig-flanneld', '--net-conf', '/run/net-conf.json'];
  return host.run(flannelette('convert', ...inputs, '-o', configPath, '--force'));
}

/** The commands in the manual below the line that begins so. */
function manual(beginning: string): string {
  const text = readFileSync(join(repositoryRoot(), 'docs/migrating-from-flannel.md'), 'utf8');
  const [, commands] =
    new RegExp(`^${beginning}[\\s\\S]*?\`\`\`sh\\n([\\s\\S]*?)\`\`\``, 'm').exec(text) ?? [];
  assert.ok(commands !== undefined, `no commands below "${beginning}" in the manual`);
  return commands;
}

/** Writing a file makes a new one of it. */
function filesOf({ host }: Member): Promise<string> {
  return host.output(['stat', '-c', '%i %n', '/run/flannel/subnet.env', '/run/flannel/docker']);
}

async function configOf(cluster: Cluster): Promise<string | undefined> {
  return (await storeOf(cluster)).keys.find(({ key }) => key === `${FLANNEL_PREFIX}/config`)?.value;
}

async function remainingSeconds({ etcdctl }: Cluster, lease: string): Promise<number> {
  const printed = await etcdctl('lease', 'timetolive', lease);
  return Number(/remaining\((\d+)s\)/.exec(printed)?.[1]);
}
