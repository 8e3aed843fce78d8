/** Networks of both families and of IPv6 alone, by the backends whose packets the kernel carries, on three hosts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { baseOf, FAMILIES, type Family, type Prefix } from '../../src/model/address.js';
import { ETCD_URL } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import type { Container } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import { type FamilySite, GATEWAYS, onFamilyCluster } from '../lab/family-sites.js';
import { Probe } from '../lab/probe.js';
import { repositoryRoot } from '../lab/repository.js';
import { transfers } from '../lab/tcp-transfer.js';

const REACHED_MS = 30_000;
const EXAMPLE = join(repositoryRoot(), 'examples/dual-stack.yaml');

const NETWORKS = {
  'both families': 'cidr: 4.0.0.0/16, ipv6: { cidr: "fd00:4::/48" }',
  'IPv6 alone': 'ipv6: { cidr: "fd00:4::/48" }',
} as const;

/** flannel's: a packet of IPv6 around a packet of IPv6 leaves 70 bytes less than the interface carries. */
const MTUS = { vxlan: 1430, 'host-gw': 1500 } as const;

for (const backend of ['vxlan', 'host-gw'] as const) {
  for (const [name, network] of Object.entries(NETWORKS)) {
    test(`${backend} carries a network of ${name}`, { timeout: 120_000 }, async (t) => {
      const written = `network: { ${network}, ipMasq: true, backend: { type: ${backend} } }
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
`;
      const isExample = backend === 'vxlan' && name === 'both families';
      const config = isExample ? readFileSync(EXAMPLE, 'utf8') : written;
      await onFamilyCluster({ hosts: 3, config }, async (start, cluster) => {
        const [first, second] = await Promise.all([start(0), start(1)]);
        const families = FAMILIES.filter((family) => first.subnets[family] !== undefined);
        assert.deepEqual(families, name === 'IPv6 alone' ? ['ipv6'] : ['ipv4', 'ipv6']);
        assert.equal(first.mtu, MTUS[backend]);

        await t.test(
          'two hosts: as large as the MTU and no larger, over TCP, to and from the hosts',
          async () => {
            for (const family of families) {
              await reaches(first.container, second.addresses[family]);
              await carriesAll(second, first, family);
            }
          },
        );

        const third = await start(2);
        const sites = [first, second, third];
        for (const family of families) {
          for (const { addresses } of [second, third]) await reaches(first.container, addresses[family]);
        }

        await t.test("the keys and values in etcd are flannel's", async () => {
          const lines = (await cluster.etcdctl('get', '--prefix', '/coreos.com/network/subnets/')).split(
            '\n',
          );
          for (const site of sites) {
            const at = lines.indexOf(`/coreos.com/network/subnets/${flannelKey(site)}`);
            assert.notEqual(at, -1, `${flannelKey(site)} in ${lines.join(' ')}`);
            const value = JSON.parse(lines[at + 1] ?? '') as Record<string, unknown>;
            assert.equal(value.PublicIP, site.subnets.ipv4 ? site.publicIps.ipv4 : '0.0.0.0');
            assert.equal(value.PublicIPv6, site.publicIps.ipv6);
            assert.equal(value.BackendType, backend);
            assert.equal('BackendData' in value, backend === 'vxlan' && families.includes('ipv4'));
            assert.equal('BackendV6Data' in value, backend === 'vxlan');
          }
        });

        await t.test('subnet.env has the lines of each family, in order', async () => {
          const names = families.flatMap((family) =>
            family === 'ipv4'
              ? ['FLANNEL_NETWORK', 'FLANNEL_SUBNET']
              : ['FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET'],
          );
          const text = await first.member.host.readFile('/run/flannel/subnet.env');
          assert.deepEqual(
            text.split('\n').map((line) => line.split('=')[0]),
            [...names, 'FLANNEL_MTU', 'FLANNEL_IPMASQ', ''],
          );
        });

        await t.test('the kernel has a way to each peer in each family, and none beside', async () => {
          const want = sites
            .filter((site) => site !== first)
            .flatMap((site) => waysTo(site, families, backend));
          assert.deepEqual(await waysOn(first), [...(await Promise.all(want))].flat().sort());
        });

        for (const family of families) {
          await t.test(
            `${family}: as large as the MTU and no larger, over TCP, to and from the hosts`,
            async () => {
              await carries(first, second, family);
              await carriesAll(third, first, family);
            },
          );

          await t.test(`${family}: containers reach what is outside as their host`, () =>
            reaches(first.container, GATEWAYS[family]),
          );
        }

        // Those of IPv4 are in kernel-backends.test.ts.
        for (const [fault, inject] of name === 'IPv6 alone' ? faultsOf(backend, second) : []) {
          await t.test(`${fault}: it heals`, async () => {
            const { member, container } = first;
            const picture = async () => [...(await waysOn(first)), await devicesOn(first)].join('\n');
            const before = await picture();
            await member.host.script(inject);
            const began = performance.now();
            await eventually('all is as it was', REACHED_MS, async () => {
              assert.equal(await picture(), before);
              assert.equal((await statusOf(member.host)).ready, true);
            });
            t.diagnostic(`${backend}, IPv6: ${fault}: ${Math.round(performance.now() - began)} ms`);
            await container.output(ping(second.addresses.ipv6));
          });
        }

        await t.test('a daemon that is killed and started again costs no packet of IPv6', async () => {
          const target = {
            address: first.addresses.ipv6 ?? '',
            spawn: first.container.spawn.bind(first.container),
          };
          const outcomes: number[] = [];
          // A busy machine loses some by itself; what a restart costs, it costs every time.
          for (let daemon = first.daemon; outcomes.length < 3 && !outcomes.includes(0); ) {
            const probe = await Probe.start(second.container, target, 6);
            daemon.signal('SIGKILL');
            await daemon.exited;
            daemon = await first.member.run();
            const { sent, lost } = await probe.finish();
            t.diagnostic(`${backend}, ${name}: ${lost} of ${sent} packets lost over a restart`);
            assert.ok(sent > 4_000, `${sent} sent`);
            assert.deepEqual(
              daemon.lines.filter((line) => line.includes('"msg":"changed"')),
              [],
            );
            outcomes.push(lost);
          }
          assert.ok(outcomes.includes(0), `lost ${outcomes.join(', ')}`);
        });
      });
    });
  }
}

/** What is done to a host, as shell commands; the other host is `peer`. */
function faultsOf(backend: 'vxlan' | 'host-gw', { subnets: { ipv6 } }: FamilySite) {
  const [device, subnet, address] = ['flannel-v6.1', ipv6 as Prefix, baseOf(ipv6 as Prefix)];
  const ofRoutes: readonly (readonly [fault: string, inject: string])[] = [
    ['the route to a host is deleted', `ip route delete ${subnet}`],
    [
      'routes to a host that is gone are there',
      'ip route add fd00:4:0:ffff::/64 via 2001:db8:8::99 dev eth0 proto 77',
    ],
  ];
  if (backend === 'host-gw') return ofRoutes;
  return [
    ...ofRoutes,
    ['the device is deleted', `ip link delete ${device}`],
    ['the device is set down', `ip link set ${device} down`],
    ['the MTU is changed', `ip link set ${device} mtu 1300`],
    ['the address is deleted', `ip -6 address flush dev ${device} scope global`],
    ['a neighbour is deleted', `ip neigh delete ${address} dev ${device}`],
    [
      'all forwarding entries are deleted',
      `bridge fdb show dev ${device} | while read mac _; do bridge fdb delete $mac dev ${device}; done`,
    ],
  ] as const;
}

function flannelKey({ subnets: { ipv4, ipv6 } }: FamilySite): string {
  return [ipv4 ?? '0.0.0.0/0', ipv6].map((subnet) => subnet?.replace('/', '-')).join('&');
}

/** As ip(8) and bridge(8) print them. */
async function waysTo(
  { member, subnets, publicIps }: FamilySite,
  families: readonly Family[],
  backend: 'vxlan' | 'host-gw',
): Promise<readonly string[]> {
  const ways = families.map(async (family) => {
    const subnet = subnets[family] as Prefix;
    if (backend === 'host-gw') return [`${subnet} via ${publicIps[family]} dev eth0 proto 77`];
    const device = family === 'ipv4' ? 'flannel.1' : 'flannel-v6.1';
    const printed = await member.host.output(['ip', '-oneline', 'link', 'show', 'dev', device]);
    const mac = /link\/ether (\S+)/.exec(printed)?.[1];
    return [
      `${subnet} via ${baseOf(subnet)} dev ${device} proto 77 onlink`,
      `${baseOf(subnet)} lladdr ${mac} PERMANENT`,
      `${mac} dst ${publicIps[family]} self permanent`,
    ];
  });
  return (await Promise.all(ways)).flat();
}

async function waysOn({ member }: FamilySite): Promise<readonly string[]> {
  const printed = await member.host.script(`
ip -4 route | grep 'proto 77' || true
ip -6 route | grep 'proto 77' || true
for device in $(ip -oneline link show type vxlan | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'); do
  ip neigh show dev $device nud permanent
  bridge fdb show dev $device
done`);
  return printed
    .split('\n')
    .map((line) => line.replace(/ metric 1024| pref medium/g, '').trim())
    .filter((line) => line !== '')
    .sort();
}

/** The devices with their addresses; a number of the kernel's own is another one each time. */
function devicesOn({ member }: FamilySite): Promise<string> {
  return member.host.script(`
ip -oneline link show type vxlan | sed -E 's/^[0-9]+: //'
ip -oneline -6 address show scope global | sed -nE 's/^[0-9]+: (flannel\\S+ +inet6 \\S+).*/\\1/p'`);
}

function ping(address: string | undefined, ...more: readonly string[]): readonly string[] {
  assert.ok(address);
  return ['ping', '-n', '-c', '1', '-W', '2', ...more, address];
}

async function reaches(from: Container, address: string | undefined): Promise<void> {
  await eventually(`${from.address} reaches ${address}`, REACHED_MS, () => from.output(ping(address)));
}

/** Beside the data are 8 bytes of ICMP and the IP header: 20 of IPv4, 40 of IPv6. */
async function carries(from: FamilySite, to: FamilySite, family: Family): Promise<void> {
  const largest = from.mtu - (family === 'ipv4' ? 28 : 48);
  await from.container.output(ping(to.addresses[family], '-M', 'do', '-s', String(largest)));
  const { code } = await from.container.run(
    ping(to.addresses[family], '-M', 'do', '-s', String(largest + 1)),
  );
  assert.notEqual(code, 0);
}

/** Packets as large as may be, a file over TCP, and from host to container and back. */
async function carriesAll(from: FamilySite, to: FamilySite, family: Family): Promise<void> {
  await carries(from, to, family);
  const at = family === 'ipv4' ? `${from.addresses.ipv4}:5000` : `[${from.addresses.ipv6}]:5001`;
  await transfers(from.container, at, to.container, 5_000_000);
  await from.member.host.output(ping(to.addresses[family]));
  await to.container.output(ping(bridgeAddress(from, family)));
}

function bridgeAddress({ subnets }: FamilySite, family: Family): string {
  return baseOf(subnets[family] as Prefix).replace(/(?:\.0|)$/, family === 'ipv4' ? '.1' : '1');
}
