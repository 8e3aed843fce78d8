/** The fast path under the daemon, on two hosts that have it: what it must bear, while A pings C. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { PeerStatus } from '../../src/model/status.js';
import { ETCD_URL, type Member } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import type { Container } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import { programsAt, takenByLoop } from '../lab/fast-path.js';
import { PingStream } from '../lab/ping-stream.js';
import { onSites, siteAt } from '../lab/sites.js';

const SOON_MS = 15_000;
/** Sooner than the poll that is behind the watches of the file. */
const AT_ONCE_MS = 4_000;
/** As for a daemon without a fast path (docs/faults.md, P2), and some for a machine that does other things beside. */
const KILLED_MS = 500 + 500;
/** It looks every 5 s. */
const NEW_LINK_MS = 6_000 + 2_000;
const PINGS = 5;

function config(fastPath: boolean): string {
  return `network: { cidr: 4.0.0.0/16, ipMasq: true }
dataplane: { fastPath: ${fastPath} }
store: { etcd: { endpoints: ["${ETCD_URL}"] } }
`;
}

test('the fast path under the daemon', { timeout: 120_000 }, async (t) => {
  await onSites({ hosts: 2, config: config(true) }, async (sites, { underlay }) => {
    const [here, there] = [siteAt(sites, 0), siteAt(sites, 1)];
    const { host, address } = here.member;
    const [a, c] = [here.container, there.container];
    /** What was forwarded otherwise a moment ago has followers that are, too. */
    const isFast = (withinMs = SOON_MS) =>
      eventually('pings do not come to the loops', withinMs, async () => {
        const before = [await takenByLoop(host), await takenByLoop(there.member.host)];
        assert.match(await pings(a, c), / 0% packet loss/);
        assert.deepEqual([await takenByLoop(host), await takenByLoop(there.member.host)], before);
      });

    await t.test('what it carries is counted, and heard', async () => {
      await isFast();
      const before = await peerOf(here.member);
      await pings(a, c);
      const after = await peerOf(here.member);
      assert.equal((after.sentPackets ?? 0) - (before.sentPackets ?? 0), PINGS);
      assert.equal((after.receivedPackets ?? 0) - (before.receivedPackets ?? 0), PINGS);
      assert.ok(String(after.lastReceivedAt) > String(before.lastReceivedAt), JSON.stringify(after));
      const { stdout } = await here.member.command('peers', '-o', 'json');
      assert.ok(stdout.includes(`"sentPackets": ${after.sentPackets}`), stdout);
    });

    await t.test('makes way for a capture, and comes back', async () => {
      const stream = await PingStream.start(a, c.address);
      const file = '/run/packets.pcapng';
      const options = ['-w', file, '--layer', 'inner', '-n', '20', '--duration', '20s'];
      const { stderr } = await here.member.command('capture', ...options);
      assert.match(stderr, /^20 packets written/);
      const shown = await host.output(['tcpdump', '-n', '-r', file]);
      for (const packet of [
        `${a.address} > ${c.address}: ICMP echo request`,
        `${c.address} > ${a.address}: ICMP echo reply`,
      ])
        assert.ok(shown.includes(packet), shown);
      assert.equal((await stream.finish()).lost, 0);
      await isFast();
    });

    await t.test('a changed file takes it away and brings it back, without losing a ping', async () => {
      const follows = async (wanted: boolean) => {
        await host.writeFile('/run/new.yaml', config(wanted));
        await host.script(`mv /run/new.yaml ${here.member.configPath}`);
        await eventually(`a fast path: ${wanted}`, AT_ONCE_MS, async () => {
          assert.deepEqual(await programsOn(here.member), wanted ? [1, 1] : [0, 0]);
          assert.equal((await statusOf(host)).traffic.offloads.fastPath, wanted);
        });
      };
      const stream = await PingStream.start(a, c.address);
      await follows(false);
      const before = await takenByLoop(host);
      await stream.answeredFromNow();
      assert.ok((await takenByLoop(host)) > before);
      await follows(true);
      assert.equal((await stream.finish()).lost, 0);
      await isFast();
    });

    await t.test('a killed daemon leaves nothing of it, and the next one has it again', async () => {
      const stream = await PingStream.start(a, c.address);
      here.daemon.signal('SIGKILL');
      await here.daemon.exited;
      assert.deepEqual(await programsOn(here.member), [0, 0]);
      await here.member.run();
      const { longestOutageMs } = await stream.finish();
      t.diagnostic(`killed and started again: outage ${longestOutageMs} ms`);
      assert.ok(longestOutageMs < KILLED_MS, `${longestOutageMs} ms`);
      await isFast();
    });

    await t.test('follows the link of the address when that is made anew', async () => {
      await host.script('ip link delete eth0');
      await underlay.plugIn(host, address);
      const start = performance.now();
      await eventually('it is at the new link', NEW_LINK_MS, async () =>
        assert.deepEqual(await programsOn(here.member), [1, 1]),
      );
      t.diagnostic(`at the new link after ${Math.round(performance.now() - start)} ms`);
      await isFast();
      assert.deepEqual((await statusOf(host)).notes, []);
    });
  });
});

async function pings(from: Container, to: Container): Promise<string> {
  const { stdout } = await from.run(['ping', '-n', '-c', String(PINGS), '-i', '0.05', '-W', '1', to.address]);
  return stdout;
}

/** Of its own two: at the device, and at the link of the address. */
async function programsOn({ host }: Member): Promise<readonly number[]> {
  return [await programsAt(host, 'flannel0', 'egress'), await programsAt(host, 'eth0', 'ingress')];
}

async function peerOf({ host }: Member): Promise<PeerStatus> {
  const [peer] = (await statusOf(host)).peers;
  assert.ok(peer);
  return peer;
}
