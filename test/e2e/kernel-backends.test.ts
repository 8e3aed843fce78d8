/**
 * The backends whose packets the kernel carries, on three hosts with a container each:
 *
 *    A            B            C
 *    │            │            │
 *  host1 ═══════ host2 ═══════ host3
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Cluster, ETCD_URL, type Member, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import type { Container } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import { Probe } from '../lab/probe.js';
import { flannelette } from '../lab/repository.js';
import { onSites, reachEachOther, type Site, siteAt, startSite } from '../lab/sites.js';
import { leasesOf } from '../lab/store-content.js';
import { transfers } from '../lab/tcp-transfer.js';

/** Far above what is measured, far below the timer that would find it anyway. */
const NOTICED_MS = 15_000;
const LEAKED_MS = 5_000;
const FOLLOWED_MS = 60_000;

interface Scene {
  readonly backend: string;
  readonly mtu: number;
  /** What the host has beside others' objects, from the others' leases: lines of ip(8) and bridge(8). */
  readonly want: (peers: readonly Peer[], own: Peer) => readonly string[];
  /** What an earlier daemon may have left: objects for a host that is gone, and of another backend. */
  readonly leftovers: string;
  readonly faults: readonly (readonly [name: string, inject: (peer: Peer) => string])[];
}

interface Peer {
  readonly address: string;
  /** With three bytes: 4.0.7 is 4.0.7.0/24. */
  readonly subnet: string;
  readonly value: string;
  readonly mac: string;
}

const SCENES: readonly Scene[] = [
  {
    backend: 'vxlan',
    mtu: 1450,
    // As flanneld 0.20.2 has it, beside our protocol number on the routes.
    want: (peers, own) => [
      ...peers.flatMap(({ subnet, mac, address }) => [
        `${subnet}.0 lladdr ${mac} PERMANENT`,
        `${mac} dst ${address} self permanent`,
        `${subnet}.0/24 via ${subnet}.0 dev flannel.1 proto 77 onlink`,
      ]),
      `inet ${own.subnet}.0/32 scope global flannel.1`,
      `vxlan id 1 local ${own.address} dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx`,
      'mtu 1450 up',
      'accept_ra 0',
    ],
    leftovers: `
ip address add 4.0.199.0/32 dev flannel.1
ip route add 4.0.200.0/24 via 4.0.200.0 dev flannel.1 onlink proto 77
ip neigh add 4.0.200.0 lladdr 02:00:00:00:00:07 dev flannel.1 nud permanent
bridge fdb add 02:00:00:00:00:07 dev flannel.1 dst 10.8.65.99
ip route add 4.0.201.0/24 via 10.8.65.98 dev eth0 proto 77`,
    faults: [
      ['a route is deleted', ({ subnet }) => `ip route delete ${subnet}.0/24`],
      ['a route leads elsewhere', ({ subnet }) => `ip route replace ${subnet}.0/24 dev lo proto 77`],
      ['a neighbour is deleted', ({ subnet }) => `ip neigh delete ${subnet}.0 dev flannel.1`],
      [
        'a neighbour has another MAC',
        ({ subnet }) => `ip neigh replace ${subnet}.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent`,
      ],
      ['a forwarding entry is deleted', ({ mac }) => `bridge fdb delete ${mac} dev flannel.1`],
      [
        'a forwarding entry names another host',
        ({ mac }) => `bridge fdb replace ${mac} dev flannel.1 dst 10.8.65.99`,
      ],
      [
        'a forwarding entry names another port',
        ({ mac, address }) => `bridge fdb replace ${mac} dev flannel.1 dst ${address} port 9999`,
      ],
      [
        'a forwarding entry too many, with a port of its own',
        () => 'bridge fdb add 02:00:00:00:00:01 dev flannel.1 dst 10.8.65.99 port 9999',
      ],
      [
        'the address is deleted, and a foreign one comes and stays',
        () =>
          'ip -4 address flush dev flannel.1; ip address add 192.0.2.77/24 dev flannel.1; while ! ip address show dev flannel.1 | grep -q "/32"; do sleep 0.02; done; ip address delete 192.0.2.77/24 dev flannel.1',
      ],
      ['the MTU is changed', () => 'ip link set flannel.1 mtu 1400'],
      ['the MAC is changed', () => 'ip link set flannel.1 address 02:00:00:00:00:02'],
      ['the device is set down', () => 'ip link set flannel.1 down'],
      ['the device is deleted', () => 'ip link delete flannel.1'],
      [
        'the device is made by hand with another VNI',
        () =>
          // The daemon may be faster: then its own stands there already.
          'ip link delete flannel.1; ip link add flannel.1 type vxlan id 7 dstport 8472 dev eth0 || true',
      ],
    ],
  },
  {
    backend: 'host-gw',
    mtu: 1500,
    want: (peers) => peers.map(({ subnet, address }) => `${subnet}.0/24 via ${address} dev eth0 proto 77`),
    leftovers: `
ip tuntap add flannel0 mode tun
ip link set flannel0 alias "flannelette flannel0" up
ip route add 4.0.0.0/16 dev flannel0 proto 77
ip route add 4.0.200.0/24 via 10.8.65.98 dev eth0 proto 77`,
    faults: [
      ['a route is deleted', ({ subnet }) => `ip route delete ${subnet}.0/24`],
      ['a route leads elsewhere', ({ subnet }) => `ip route replace ${subnet}.0/24 via 10.8.0.1 proto 77`],
      [
        'all routes go with the interface',
        () => 'ip link set eth0 down; ip link set eth0 up; ip route add default via 10.8.0.1',
      ],
    ],
  },
];

for (const scene of SCENES) {
  test(`two hosts by ${scene.backend}, then three`, { timeout: 240_000 }, async (t) => {
    await onCluster({ hosts: 3, config: configOf(scene.backend) }, async (cluster) => {
      const [one, two, three] = [memberAt(cluster, 0), memberAt(cluster, 1), memberAt(cluster, 2)];
      const [first, second] = await Promise.all([startSite(one), startSite(two)]);
      const { host } = first.member;
      await reachEachOther([first.container, second.container]);

      await t.test('two: the same as with three', async () => {
        assert.deepEqual(await ownLines(one), await wantedOn(scene, cluster, one, [first, second]));
        await carries(first.container, second.container, scene.mtu);
        await carries(second.container, first.container, scene.mtu);
        await host.output(ping(second.container.address));
        await transfers(first.container, `${first.container.address}:5000`, second.container, 20_000_000);
      });

      const third = await startSite(three);
      const sites = [first, second, third];
      await reachEachOther(sites.map(({ container }) => container));
      const wanted = async () => wantedOn(scene, cluster, one, sites);
      let { daemon } = first;

      await t.test('the kernel has what flanneld would leave there, and nothing else of ours', async () => {
        assert.deepEqual(await ownLines(first.member), await wanted());
      });

      await t.test('packets as large as the MTU pass, also between host and container', async () => {
        await carries(first.container, second.container, scene.mtu);
        await carries(third.container, first.container, scene.mtu);
        for (const { container } of [second, third]) await host.output(ping(container.address));
        await second.container.output(ping((await peerOf(cluster, first.member)).subnet.concat('.1')));
      });

      await t.test('20 MB pass over TCP unchanged', () =>
        transfers(third.container, `${third.container.address}:5000`, first.container, 20_000_000),
      );

      await t.test(
        'a daemon that is killed and started again costs no packet and writes nothing',
        async () => {
          const before = await ownLines(first.member);
          const probe = await Probe.start(second.container, first.container, 8);
          daemon.signal('SIGKILL');
          await daemon.exited;
          daemon = await one.run();
          const { sent, lost } = await probe.finish();
          t.diagnostic(`${scene.backend}: ${lost} of ${sent} packets lost over a restart`);
          assert.deepEqual([lost, sent > 6_000], [0, true]);
          assert.deepEqual(await ownLines(first.member), before);
          assert.deepEqual(
            daemon.lines.filter((line) => line.includes('"msg":"changed"')),
            [],
          );
        },
      );

      await t.test(
        'what a crash has left goes with the next start, and what is as wanted stays',
        async () => {
          const before = await ownLines(one);
          daemon.signal('SIGKILL');
          await daemon.exited;
          await host.script(scene.leftovers);
          assert.notDeepEqual(await ownLines(one), before);
          daemon = await one.run();
          await eventually('nothing is left', LEAKED_MS, async () =>
            assert.deepEqual(await ownLines(one), before),
          );
        },
      );

      const peer = await peerOf(cluster, second.member);
      await t.test(
        "somebody else's route in the place of ours is told, left alone and outlived",
        async () => {
          const route = `${peer.subnet}.0/24`;
          await host.script(`ip route replace ${route} dev lo proto static`);
          await eventually('the conflict is told', NOTICED_MS, async () => {
            const { ready, objects } = await statusOf(host);
            const state = objects.find(({ key }) => key === `route:${route}`)?.state;
            assert.deepEqual([ready, state], [false, 'conflict']);
          });
          await host.script(`ip route delete ${route} dev lo proto static`);
          await eventually('ours is back', NOTICED_MS, async () =>
            assert.deepEqual(await ownLines(one), await wanted()),
          );
        },
      );

      for (const [name, inject] of scene.faults) {
        await t.test(`${name}: it heals`, async () => {
          // Routes and neighbours go with each device: the fifth loss of one within a minute would be a fight. Asking by hand ends it.
          await host.output(flannelette('apply', '-f', one.configPath));
          await host.script(inject(peer));
          const ms = await millisecondsUntil(async () => {
            assert.deepEqual(await ownLines(first.member), await wanted());
            assert.equal((await statusOf(host)).ready, true);
          });
          t.diagnostic(`${scene.backend}: ${name}: ${ms} ms`);
          await first.container.output(ping(second.container.address));
        });
      }
    });
  });
}

test('a network goes from backend to backend and back, and nothing of a former one stays', {
  timeout: 240_000,
}, async (t) => {
  await onSites({ hosts: 3, config: configOf('udp', 'always') }, async (sites) => {
    const [publisher, ...followers] = [siteAt(sites, 0), siteAt(sites, 1), siteAt(sites, 2)];
    for (const { member } of followers) await member.host.writeFile(member.configPath, FOLLOWER);
    const hosts = sites.map(({ member }) => member.host);
    const begin = await Promise.all(hosts.map(worldOf));

    for (const [backend, device] of [
      ['vxlan', 'flannel.1'],
      ['host-gw', ''],
      ['udp', 'flannel0'],
    ] as const) {
      await t.test(`to ${backend}`, async () => {
        const { member } = publisher;
        await member.host.writeFile(member.configPath, configOf(backend, 'always'));
        const start = performance.now();
        await eventually(`all hosts have ${backend}`, FOLLOWED_MS, async () => {
          for (const host of hosts) {
            const { ready, network } = await statusOf(host);
            assert.deepEqual([ready, network?.backend], [true, backend]);
            assert.equal((await host.script(OUR_DEVICES)).trim(), device);
          }
        });
        t.diagnostic(`to ${backend}: all three hosts after ${Math.round(performance.now() - start)} ms`);
        await reachEachOther(sites.map(({ container }) => container));
      });
    }

    await t.test('the hosts are as they were in the beginning', async () => {
      const end = await Promise.all(hosts.map(worldOf));
      for (const [index, before] of begin.entries()) {
        assert.deepEqual(worldDifference(before, end[index] ?? ''), []);
      }
    });
  });
});

test('commands of the operator carry the packets, and take their routes away again', {
  timeout: 120_000,
}, async () => {
  const config = `
network:
  cidr: 4.0.0.0/16
  backend:
    type: extension
    shell: true
    preStartupCommand: hostname
    subnetAddCommand: ip route replace "$SUBNET" via "$PUBLIC_IP" proto 99; cat >"/run/peer-$PUBLIC_IP"
    subnetRemoveCommand: ip route delete "$SUBNET" proto 99
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
`;
  await onSites({ hosts: 2, config }, async (sites, cluster) => {
    const [first, second] = [siteAt(sites, 0), siteAt(sites, 1)];
    await carries(first.container, second.container, 1500);
    const { host, address } = second.member;
    assert.match((await leasesOf(cluster, address))[0]?.value ?? '', /"BackendData":"host2"/);
    assert.equal(await first.member.host.readFile(`/run/peer-${address}`), 'host2\n');
    const routes = () => first.member.host.output(['ip', 'route', 'show', 'proto', '99']);
    assert.match(await routes(), new RegExp(`via ${address} `));
    second.daemon.signal('SIGTERM');
    await second.daemon.exited;
    const { code, stderr } = await second.member.command('destroy', '--lease');
    assert.equal(code, 0, stderr);
    assert.equal(await host.output(['ip', 'route', 'show', 'proto', '99']), '');
    await eventually('the host that is gone is removed', FOLLOWED_MS, async () => {
      assert.equal(await routes(), '');
    });
  });
});

test('alloc gives a subnet and its files, and no way to anybody', { timeout: 60_000 }, async () => {
  await onCluster({ hosts: 2, config: configOf('alloc') }, async (cluster) => {
    await Promise.all(cluster.members.map((member) => member.run()));
    const member = memberAt(cluster, 0);
    const { subnet, value } = await peerOf(cluster, member);
    assert.equal(value, `{"PublicIP":"${member.address}","PublicIPv6":null}`);
    assert.match(await member.host.readFile('/run/flannel/subnet.env'), /^FLANNEL_MTU=1500$/m);
    assert.match(await member.host.readFile('/run/flannel/docker'), new RegExp(`bip=${subnet}\\.1/24`));
    assert.deepEqual(await ownLines(member), []);
  });
});

const FOLLOWER = `store: { etcd: { endpoints: ["${ETCD_URL}"] } }\n`;
const OUR_DEVICES = `ip -oneline link show | grep 'alias flannelette' | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/' || true`;

function configOf(backend: string, publish = 'create'): string {
  return `network: { cidr: 4.0.0.0/16, publish: ${publish}, backend: { type: ${backend} } }\nstore: { etcd: { endpoints: ["${ETCD_URL}"] } }\n`;
}

async function wantedOn(
  { want }: Scene,
  cluster: Cluster,
  member: Member,
  sites: readonly Site[],
): Promise<readonly string[]> {
  const peers = await Promise.all(sites.map((site) => peerOf(cluster, site.member)));
  const own = await peerOf(cluster, member);
  const others = peers.filter(({ address }) => address !== member.address);
  return [...want(others, own)].sort();
}

async function peerOf(cluster: Cluster, { address }: Member): Promise<Peer> {
  const [lease] = await leasesOf(cluster, address);
  assert.ok(lease, `no lease of ${address}`);
  const [, subnet = ''] = /\/(\d+\.\d+\.\d+)\.0-24$/.exec(lease.key) ?? [];
  const [, mac = ''] = /"VtepMAC":"([^"]+)"/.exec(lease.value) ?? [];
  return { address, subnet, value: lease.value, mac };
}

/** Everything that a backend puts on a host, as ip(8) and bridge(8) print it. */
async function ownLines({ host }: Member): Promise<readonly string[]> {
  const printed = await host.script(`
ip route | grep 'proto 77' || true
for device in $(ip -oneline link show type vxlan | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'); do
  ip neigh show dev $device nud permanent
  bridge fdb show dev $device
  ip -oneline -4 address show dev $device | grep -o 'inet .* flannel[^ ]*' | sed 's/\\\\.*//'
  ip -d link show dev $device | grep -o 'vxlan id.*noudp6zerocsumrx'
  ip -oneline link show dev $device | grep -oE 'mtu [0-9]+' | tr '\\n' ' '
  ip -oneline link show dev $device | grep -q '[<,]UP[,>]' && echo up || echo down
  echo accept_ra $(cat /proc/sys/net/ipv6/conf/$device/accept_ra)
done`);
  return printed
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .sort();
}

function ping(address: string, ...more: readonly string[]): readonly string[] {
  return ['ping', '-n', '-c', '1', '-W', '2', ...more, address];
}

/** 20 bytes of IPv4, 8 of ICMP. */
async function carries(from: Container, to: Container, mtu: number): Promise<void> {
  await from.output(ping(to.address, '-M', 'do', '-s', String(mtu - 28)));
  const { code } = await from.run(ping(to.address, '-M', 'do', '-s', String(mtu - 27)));
  assert.notEqual(code, 0);
}

async function millisecondsUntil(check: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await eventually('all is as it was', NOTICED_MS, check);
  return Math.round(performance.now() - start);
}
