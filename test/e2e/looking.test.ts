/** The commands of whoever looks for what is wrong, on two hosts whose containers reach each other. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { PingDocument } from '../../src/cli/commands/ping.js';
import { eventually } from '../lab/eventually.js';
import { onSites, type Site, siteAt } from '../lab/sites.js';

const SEEN_MS = 15_000;

test('what goes on between two hosts can be looked at', { timeout: 180_000 }, async (t) => {
  await onSites({ hosts: 2 }, async (sites) => {
    const [here, there] = [siteAt(sites, 0), siteAt(sites, 1)];
    await t.test('ping goes through all layers', async () => {
      for (const asked of [there.member.address, there.container.address])
        assert.deepEqual(await ping(here, asked), {
          outcomes: 'passed passed passed passed',
          firstToFail: undefined,
        });
    });
    await t.test('ping names the first that fails: container', async () => {
      const nobody = there.container.address.replace(/\d+$/, '99');
      assert.equal((await ping(here, nobody)).firstToFail, 'container');
    });
    await t.test('overlay, when a firewall takes what is wrapped', async () => {
      const rule = 'INPUT -p udp --dport 8285 -j DROP';
      await there.member.host.script(`iptables -w 5 -I ${rule}`);
      assert.equal((await ping(here, there.member.address)).firstToFail, 'overlay');
      await there.member.host.script(`iptables -w 5 -D ${rule}`);
    });
    await t.test('underlay, when nobody listens; store, when nobody leases', async () => {
      await there.daemon.stop();
      await eventually('the port is refused', SEEN_MS, async () =>
        assert.equal((await ping(here, there.member.address)).firstToFail, 'underlay'),
      );
      assert.equal((await ping(here, '10.8.99.99')).firstToFail, 'store');
    });
  });
});

async function ping(site: Site, host: string) {
  const { code, stdout, stderr } = await site.member.command('ping', host, '-o', 'json');
  assert.ok(code < 2, stderr);
  const { layers, firstToFail } = JSON.parse(stdout) as PingDocument;
  return { outcomes: layers.map(({ outcome }) => outcome).join(' '), firstToFail };
}
