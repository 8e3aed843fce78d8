/**
 * One part that hangs delays no other: a firewall program that does not come back, and an etcd that does not
 * answer, for ten seconds each. Meanwhile what is changed by hand heals as ever, and no packet is lost.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import type { Host } from '../lab/host.js';
import { PingStream } from '../lab/ping-stream.js';
import type { LongProcess } from '../lab/process.js';
import { onSites, siteAt } from '../lab/sites.js';

const STALL_MS = 10_000;
/** What healing takes on a busy machine; a loop that waited for the stalled one would take the rest of its ten seconds. */
const HEALED_MS = 4_000;
const RECOVERED_MS = 60_000;

const FAULTS = [
  { name: 'a deleted route', inject: 'ip route delete 4.0.0.0/16', key: 'route:' },
  { name: 'a deleted file', inject: 'rm /run/flannel/subnet.env', key: 'file:' },
  { name: 'a deleted device', inject: 'ip link delete flannel0', key: 'forwarder:' },
] as const;

/** Sleeps while a file is there, then does what the program of its name does. */
const SLOW_IPTABLES = `#!/bin/sh
if [ -e /run/stall ]; then echo begun >>/run/stalled; sleep ${STALL_MS / 1000}; fi
exec /usr/sbin/iptables "$@"
`;

test('a firewall program that hangs for ten seconds', { timeout: 120_000 }, async (t) => {
  const path = '/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  await onSites({ hosts: 2, daemon: { environment: { PATH: path } } }, async (sites) => {
    const [first, second] = [siteAt(sites, 0), siteAt(sites, 1)];
    const { host } = first.member;
    await host.writeFile('/run/bin/iptables', SLOW_IPTABLES);
    await host.script('chmod +x /run/bin/iptables; : >/run/stall');
    // Any change of the rules wakes the loop that lists them.
    await host.script('iptables -A FORWARD -s 198.51.100.0/24 -j ACCEPT');
    await eventually('the program hangs', HEALED_MS, () => host.readFile('/run/stalled'));
    const end = performance.now() + STALL_MS;

    await heals(t, first.daemon, host);
    const stream = await PingStream.start(first.container, second.container.address);
    await host.script('rm /run/stall; iptables -F FLANNEL-FWD');
    await t.test('packets flow all along', async () => {
      await eventually('the stall is over, and what the chain lost is back', RECOVERED_MS, async () => {
        assert.match(await host.output(['iptables', '-S', 'FLANNEL-FWD']), /ACCEPT/);
      });
      // By then it was ended, or the daemon had lost patience with it.
      assert.ok(performance.now() >= end - 1_000, 'the chain had to wait for the program');
      const { answered, lost } = await stream.finish();
      t.diagnostic(`${answered} pings answered during the stall, ${lost} lost`);
      assert.equal(lost, 0);
    });
  });
});

test('an etcd that hangs for ten seconds', { timeout: 120_000 }, async (t) => {
  await onSites({ hosts: 2 }, async (sites, { etcdProcess }) => {
    const [first, second] = [siteAt(sites, 0), siteAt(sites, 1)];
    const { host } = first.member;
    const lines = first.daemon.lines.length;
    etcdProcess.signal('SIGSTOP');
    const end = performance.now() + STALL_MS;

    await heals(t, first.daemon, host);
    const stream = await PingStream.start(first.container, second.container.address);
    await t.test('packets flow all along, and status says that the store is away', async () => {
      // gRPC's pings notice after 8 s at most.
      const { store } = await eventually('the store is known to be away', RECOVERED_MS, async () => {
        const status = await statusOf(host);
        assert.equal(status.store.status, 'stale');
        assert.deepEqual([status.ready, status.peers.length], [true, 1]);
        return status;
      });
      t.diagnostic(`the store was called stale because: ${store.error}`);
      await eventually('ten seconds are over', STALL_MS, () => assert.ok(performance.now() >= end));
      etcdProcess.signal('SIGCONT');
      await eventually('the store is back', RECOVERED_MS, async () =>
        assert.equal((await statusOf(host)).store.status, 'live'),
      );
      const { answered, lost } = await stream.finish();
      t.diagnostic(`${answered} pings answered during the stall, ${lost} lost`);
      assert.equal(lost, 0);
      const said = first.daemon.lines.slice(lines);
      assert.ok(said.length <= 30, said.join('\n'));
    });
  });
});

async function heals(t: test.TestContext, daemon: LongProcess, host: Host): Promise<void> {
  for (const { name, inject, key } of FAULTS) {
    await t.test(`${name} comes back meanwhile`, async () => {
      const from = daemon.lines.length;
      const start = performance.now();
      await host.script(inject);
      await daemon.waitForLine(new RegExp(`"key":"${key}.*"msg":"changed"`), HEALED_MS, from);
      t.diagnostic(`${name}: ${Math.round(performance.now() - start)} ms`);
      await host.output(['grep', '-q', 'FLANNEL_MTU', '/run/flannel/subnet.env']);
      await eventually('device and route are there', HEALED_MS, async () =>
        assert.match(await host.output(['ip', 'route']), /^4\.0\.0\.0\/16 dev flannel0/m),
      );
    });
  }
}
