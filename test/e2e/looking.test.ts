/** The commands of whoever looks for what is wrong, on two hosts whose containers reach each other. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { PingDocument } from '../../src/cli/commands/ping.js';
import { eventually } from '../lab/eventually.js';
import { flannelette } from '../lab/repository.js';
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
      // The fast path carries them until it has seen the rule.
      await eventually('the rule is respected', SEEN_MS, async () =>
        assert.equal((await ping(here, there.member.address)).firstToFail, 'overlay'),
      );
      await there.member.host.script(`iptables -w 5 -D ${rule}`);
    });
    await t.test('top shows what goes to a peer while it goes', async () => {
      const pings = here.container.spawn(['ping', '-n', '-q', '-i', '0.05', there.container.address]);
      const { stdout } = await here.member.command('top', '-n', '1');
      await pings.stop();
      const [, sent = '0', got = '0'] =
        new RegExp(`${there.member.address} +(\\d+) +\\S+ \\w*bit/s +(\\d+) `).exec(stdout) ?? [];
      assert.ok(Number(sent) > 0 && Number(got) > 0, stdout);
    });
    await t.test('capture writes what is forwarded and what is dropped, for tcpdump to read', async () => {
      const pings = here.container.spawn(['ping', '-n', '-q', '-i', '0.05', there.container.address]);
      const lost = here.container.spawn(['ping', '-n', '-q', '-i', '0.05', '4.0.250.9']);
      const other = there.container.address;
      const outside = `${here.member.address}\\.8285 > ${there.member.address}\\.8285: UDP`;
      const inner = await captured(here, '--layer', 'inner', '-n', '40');
      const outer = await captured(here, '--layer', 'outer', '-n', '5', '--peer', there.member.address);
      await Promise.all([pings.stop(), lost.stop()]);
      for (const line of [`> ${other}: ICMP echo request`, '> 4.0.250.9: ICMP echo request'])
        assert.match(inner.shown, new RegExp(line));
      assert.match(outer.shown, new RegExp(outside));
      assert.doesNotMatch(inner.shown + outer.shown, /bad cksum|truncated/);
      assert.match(inner.comments, new RegExp(`to peer \\S+ at ${there.member.address}:8285`));
      assert.match(inner.comments, /dropped: no_route/);
      assert.doesNotMatch(outer.comments, /dropped/);
    });
    await t.test(
      'and each segment of a stream by itself, which the kernel hands over many at a time',
      async () => {
        const server = there.container.spawn(['iperf3', '-s']);
        await eventually('the stream begins', SEEN_MS, () =>
          here.container.output(['iperf3', '-c', there.container.address, '-n', '1K']),
        );
        const stream = here.container.spawn(['iperf3', '-c', there.container.address, '-t', '60']);
        for (const [site, direction] of [
          [here, 'out'],
          [there, 'in'],
        ] as const) {
          const { shown } = await captured(site, '--layer', 'inner', '-n', '200', '--direction', direction);
          const correct = shown.match(/\.5201: Flags .*, cksum 0x\w+ \(correct\), .* length 14\d\d$/gm) ?? [];
          assert.ok(correct.length > 100, shown);
          assert.doesNotMatch(shown, /incorrect|bad cksum|truncated/);
        }
        await Promise.all([stream.stop(), server.stop()]);
      },
    );
    await t.test('log-level makes one loop of the running daemon say more', async () => {
      const { stdout, code } = await here.member.command('log-level', 'route', 'debug');
      assert.deepEqual([code, stdout], [0, 'LOOP   LEVEL\nroute  debug\n']);
      const from = here.daemon.lines.length;
      await here.member.host.script('ip route del 4.0.0.0/16');
      await here.daemon.waitForLine(/"level":20,.*"loop":"route".*"msg":"round"/, SEEN_MS, from);
    });
    await t.test('a directory of files is one file, with what was set and declared', async () => {
      const { host } = here.member;
      await host.writeFile('/run/conf.d/10-fleet.yaml', 'network: { cidr: 4.0.0.0/16 }\n');
      await host.writeFile('/run/conf.d/50-host.yaml', `environment: [MTU]\nnetwork: { mtu: '\${MTU}' }\n`);
      const validate = (mtu: string, ...more: readonly string[]) =>
        host.run(flannelette('validate', '/run/conf.d', ...more), { environment: { MTU: mtu } });
      assert.equal((await validate('1400')).stdout, '/run/conf.d: valid\n');
      assert.match(
        (await validate('9')).stderr,
        /^\/run\/conf\.d\/50-host\.yaml:2:17: network\.mtu: 9 is not allowed/,
      );
      assert.equal((await validate('9', '--set', 'network.mtu=1400')).code, 0);
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

/** What tcpdump reads in a capture, and the texts in its file. */
async function captured({ member }: Site, ...options: readonly string[]) {
  const file = '/run/packets.pcapng';
  const { code, stderr } = await member.command('capture', '-w', file, '--duration', '20s', ...options);
  const [, , , count] = options;
  assert.match(`${code}: ${stderr}`, new RegExp(`^0: ${count} packets written, (none|\\d+) missed`));
  const shown = await member.host.output(['tcpdump', '-n', '-v', '-r', file]);
  return { shown, comments: await member.host.output(['grep', '--text', '-o', '[ -~]\\{8,\\}', file]) };
}

async function ping(site: Site, host: string) {
  const { code, stdout, stderr } = await site.member.command('ping', host, '-o', 'json');
  assert.ok(code < 2, stderr);
  const { layers, firstToFail } = JSON.parse(stdout) as PingDocument;
  return { outcomes: layers.map(({ outcome }) => outcome).join(' '), firstToFail };
}
