/**
 * What is changed by hand under a running daemon is put right, while A pings C all along:
 *
 *    A            C            -
 *    │            │            │
 *  host1 ═══════ host2 ═══════ host3     host1 suffers what shows at once, host3 what only a timer finds
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ETCD_URL } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import { PingStream } from '../lab/ping-stream.js';
import type { LongProcess } from '../lab/process.js';
import { onSites, reachEachOther, type Site, siteAt } from '../lab/sites.js';
import { leasesOf, storeOf } from '../lab/store-content.js';

const CONFIG = `network: { cidr: 4.0.0.0/16, ipMasq: true }
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
`;
/** Far above what is measured, far below the timer that would find it anyway. */
const NOTICED_MS = 15_000;
/** The timer itself: every 30 s, give or take a quarter; then some for a busy machine. */
const TIMER_MS = 60_000;

interface Fault {
  readonly name: string;
  /** What is done to the host, as a shell script. */
  readonly inject: string;
  /** Start of the key whose change must show in the daemon's log. */
  readonly key: string;
}

const FAULTS: readonly Fault[] = [
  { name: 'the route is deleted', inject: 'ip route delete 4.0.0.0/16', key: 'route:' },
  { name: 'the route leads elsewhere', inject: 'ip route change 4.0.0.0/16 dev lo proto 77', key: 'route:' },
  { name: 'the address is deleted', inject: 'ip -4 address flush dev flannel0', key: 'address:' },
  { name: 'the MTU is changed', inject: 'ip link set flannel0 mtu 1400', key: 'link:' },
  { name: 'the device is set down', inject: 'ip link set flannel0 down', key: 'route:' },
  { name: 'the device is deleted', inject: 'ip link delete flannel0', key: 'forwarder:' },
  { name: 'subnet.env is deleted', inject: 'rm /run/flannel/subnet.env', key: 'file:' },
  { name: 'subnet.env is edited', inject: 'echo MORE=1 >>/run/flannel/subnet.env', key: 'file:' },
  { name: "Docker's file is truncated", inject: ': >/run/flannel/docker', key: 'file:' },
  { name: 'both files go with their directory', inject: 'rm -r /run/flannel', key: 'file:' },
  {
    name: 'FORWARD is flushed, and Docker brings its rules back',
    inject: 'iptables -F FORWARD; iptables-restore --noflush </run/docker-rules',
    key: 'iptables-chain:',
  },
  { name: 'our own table is deleted', inject: 'nft delete table ip flannelette-flannel0', key: 'nft-table:' },
  {
    name: 'all rules are flushed, and Docker brings its own back',
    inject: 'nft flush ruleset; iptables-restore </run/docker-rules',
    key: 'nft-table:',
  },
];

test('a host whose objects are changed by hand', { timeout: 240_000 }, async (t) => {
  await onSites({ hosts: 3, config: CONFIG }, async (sites, cluster) => {
    const [first, second, third] = [siteAt(sites, 0), siteAt(sites, 1), siteAt(sites, 2)];
    const { host, address } = first.member;
    const [a, c] = [first.container, second.container];
    await host.script(`iptables-save | grep -Ev 'FLANNEL|^:(INPUT|OUTPUT)' >/run/docker-rules`);
    const world = await worldOf(host);
    const linesBefore = first.daemon.lines.length;

    // The kernel announces no change of a setting, so this takes the timer's time: it runs beside the others.
    const settings = ['ip_forward', 'conf/flannel0/accept_local'];
    const settingsHealed = healedByTimer(third, settings);
    settingsHealed.catch(() => {});

    for (const { name, inject, key } of FAULTS) {
      await t.test(`${name}: it heals`, async () => {
        const stream = await PingStream.start(a, c.address);
        const ms = await millisecondsUntilChanged(first.daemon, key, () => host.script(inject));
        await eventually('all is as it was', NOTICED_MS, async () => {
          assert.deepEqual(worldDifference(world, await worldOf(host)), []);
          assert.equal((await statusOf(host)).ready, true);
        });
        const { lost, longestOutageMs } = await stream.finish();
        t.diagnostic(`${name}: ${ms} ms; pings: ${lost} lost, outage ${longestOutageMs} ms`);
      });
    }

    await t.test('settings of the kernel heal by the timer', async () => {
      t.diagnostic(`${settings.join(' and ')} off: ${await settingsHealed} ms`);
    });

    await t.test('a lease that is deleted in etcd is taken again, with the same subnet', async () => {
      const [lease] = await leasesOf(cluster, address);
      assert.ok(lease);
      const stream = await PingStream.start(a, c.address);
      const ms = await millisecondsUntilChanged(first.daemon, 'lease:', () =>
        cluster.etcdctl('del', lease.key),
      );
      await eventually('it is ready again', NOTICED_MS, async () =>
        assert.equal((await statusOf(host)).ready, true),
      );
      const [again, ...more] = await leasesOf(cluster, address);
      assert.deepEqual([again?.key, again?.value, more.length], [lease.key, lease.value, 0]);
      assert.notEqual(again?.lease, '0', 'it expires again');
      assert.deepEqual(worldDifference(world, await worldOf(host)), []);
      const { lost, longestOutageMs } = await stream.finish();
      t.diagnostic(`lease deleted: ${ms} ms; pings: ${lost} lost, outage ${longestOutageMs} ms`);
    });

    await t.test('a lease that somebody else has taken is theirs: this host takes another', async () => {
      const [lease] = await leasesOf(cluster, third.member.address);
      assert.ok(lease);
      const theirs = '{"PublicIP":"10.8.65.99","PublicIPv6":null}';
      const ms = await millisecondsUntilChanged(third.daemon, 'lease:', () =>
        cluster.etcdctl('put', lease.key, theirs),
      );
      t.diagnostic(`lease taken by another host: another subnet after ${ms} ms`);
      const { network } = await eventually('it is ready again', NOTICED_MS, async () => {
        const status = await statusOf(third.member.host);
        assert.equal(status.ready, true);
        return status;
      });
      const [own, ...more] = await leasesOf(cluster, third.member.address);
      assert.equal(more.length, 0);
      assert.notEqual(own?.key, lease.key);
      assert.ok(own?.key.endsWith(`/${network?.subnets[0]?.replace('/', '-')}`), own?.key);
      const { keys } = await storeOf(cluster);
      assert.equal(keys.find(({ key }) => key === lease.key)?.value, theirs);
      assert.match(
        await third.member.host.readFile('/run/flannel/subnet.env'),
        new RegExp(`^FLANNEL_SUBNET=${network?.subnets[0]?.replace('.0/', '.1/')}$`, 'm'),
      );
      for (const { member } of [first, second]) {
        const { peers } = await statusOf(member.host);
        assert.ok(peers.some(({ publicIp }) => publicIp === third.member.address));
      }
    });

    await t.test('containers reach each other as before, and the log told each thing once', async () => {
      await reachEachOther([a, c]);
      const lines = first.daemon.lines.slice(linesBefore);
      t.diagnostic(`${lines.length} lines in the log for ${FAULTS.length + 1} faults`);
      assert.ok(lines.length <= 12 * FAULTS.length, lines.join('\n'));
    });
  });
});

/** From the start of `inject` to the daemon's own word that it has changed something, and looked again. */
async function millisecondsUntilChanged(
  daemon: LongProcess,
  key: string,
  inject: () => Promise<unknown>,
): Promise<number> {
  const from = daemon.lines.length;
  const start = performance.now();
  await inject();
  await daemon.waitForLine(new RegExp(`"key":"${key}.*"msg":"changed"`), NOTICED_MS, from);
  return Math.round(performance.now() - start);
}

async function healedByTimer({ member: { host } }: Site, settings: readonly string[]): Promise<number> {
  const paths = settings.map((setting) => `/proc/sys/net/ipv4/${setting}`);
  await host.script(paths.map((path) => `echo 0 >${path}`).join('\n'));
  const start = performance.now();
  await eventually(`${settings.join(' and ')} are on again`, TIMER_MS, async () =>
    assert.equal(await host.output(['cat', ...paths]), '1\n1\n'),
  );
  return Math.round(performance.now() - start);
}
