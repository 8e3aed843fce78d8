/** What an operator is told of a Docker that does not fit, and what Docker's own configuration file becomes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARTICLE_CONFIG, type Member, memberAt } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { assertReached, onDockerHosts, startContainers } from '../lab/docker-scene.js';
import { eventually } from '../lab/eventually.js';
import { onSites, reachEachOther, reaches, siteAt } from '../lab/sites.js';

const DAEMON_JSON = '/etc/docker/daemon.json';
const MINE = '{\n    "max-concurrent-uploads": 3,\n    "labels": ["rack=7"]\n}\n';
const SEEN_MS = 10_000;

test("daemon.json: real Docker starts from it, and the operator's part of it stays", {
  timeout: 180_000,
}, async (t) => {
  await onDockerHosts({ docker: 'docker: { mode: daemon-json }\n' }, async (scene) => {
    const { cluster, engines } = scene;
    const member = memberAt(cluster, 0);
    const { host } = member;

    await t.test("a setting of the operator's own is found before anything is written", async () => {
      const taken = MINE.replace('{', '{\n    "bip": "10.0.0.1/24",');
      await host.writeFile(DAEMON_JSON, taken);
      const diff = await member.command('diff');
      assert.equal(diff.code, 7);
      assert.match(
        diff.stdout,
        /! docker-settings:\S+ +not ours: bip "10\.0\.0\.1\/24", want "4\.0\.\d+\.1\/24"/,
      );
      assert.equal((await member.command('apply')).code, 7);
      assert.equal(await host.readFile(DAEMON_JSON), taken);
    });

    await t.test('our keys stand behind theirs, and nowhere else', async () => {
      await host.writeFile(DAEMON_JSON, MINE);
      await Promise.all(cluster.members.map((each) => each.run()));
      const bip = /FLANNEL_SUBNET=(\S+)/.exec(await host.readFile('/run/flannel/subnet.env'))?.[1];
      const ours = `,\n    "bip": "${bip}",\n    "ip-masq": true,\n    "mtu": 1472\n}`;
      assert.equal(await host.readFile(DAEMON_JSON), MINE.replace('\n}', ours));
      await assert.rejects(host.readFile('/run/flannel/docker'));
    });

    await t.test('dockerd would refuse the same settings as flags', async () => {
      await assert.rejects(
        engines[0].startWith(['--bip=4.0.7.1/24']),
        /both as a flag and in the configuration file: bip/,
      );
    });

    await t.test('its containers are in the network', async () => {
      await Promise.all(engines.map((engine) => engine.start()));
      await assertReached(scene, await startContainers(scene));
      assert.ok((await statusOf(host)).ready);
    });
  });
});

test('daemon.json: destroy leaves it as it was', { timeout: 60_000 }, async () => {
  await onDockerHosts({ docker: 'docker: { mode: daemon-json }\n' }, async ({ cluster }) => {
    for (const before of [MINE, undefined]) {
      const member = memberAt(cluster, before === undefined ? 1 : 0);
      if (before !== undefined) await member.host.writeFile(DAEMON_JSON, before);
      assert.equal((await member.command('apply')).code, 0);
      assert.match(await member.host.readFile(DAEMON_JSON), /"bip"/);
      assert.equal((await member.command('destroy')).code, 0);
      assert.equal(await member.host.readFile(DAEMON_JSON).catch(() => undefined), before);
    }
  });
});

test('docker.onChange is run when the bridge is out of step, once', { timeout: 60_000 }, async () => {
  const config = `${ARTICLE_CONFIG}docker: { onChange: [sh, -c, "echo ran >>/run/ran; echo restarted"] }\n`;
  await onSites({ hosts: 1, config }, async (sites) => {
    const { member, daemon } = siteAt(sites, 0);
    const { host } = member;
    assert.doesNotMatch(daemon.lines.join('\n'), /docker\.onChange/);
    await host.script('ip address flush dev docker0; ip address add 172.17.0.1/16 dev docker0');
    const line = await daemon.waitForLine(/docker\.onChange ran/, 15_000);
    assert.match(line, /docker0 has 172\.17\.0\.1\/16.*"code":0,"output":"restarted"/);
    assert.equal(await host.readFile('/run/ran'), 'ran\n');
  });
});

const RAW = '-t raw -A PREROUTING -d ADDRESS/32 ! -i docker0 -j DROP';
/** What Docker 28 has around a bridge whose container publishes nothing, in front of what is there. */
const DOCKER_28 = `
iptables -N DOCKER
iptables -N DOCKER-USER
iptables -N DOCKER-FORWARD
iptables -N DOCKER-BRIDGE
iptables -I FORWARD -j DOCKER-FORWARD
iptables -I FORWARD -j DOCKER-USER
iptables -A DOCKER-FORWARD -j DOCKER-BRIDGE
iptables -A DOCKER-FORWARD -i docker0 -j ACCEPT
iptables -A DOCKER-BRIDGE -o docker0 -j DOCKER
iptables -A DOCKER ! -i docker0 -o docker0 -j DROP
iptables ${RAW}`;

/** The same of Docker 29 with its nftables backend. */
const DOCKER_29 = `
nft -f - <<'END'
table ip docker-bridges {
  map jumps { type ifname : verdict; elements = { "docker0" : jump filter-forward-in__docker0 } }
  chain filter-FORWARD { type filter hook forward priority filter; policy accept; oifname vmap @jumps; }
  chain filter-forward-in__docker0 {
    ct state established,related counter accept
    iifname "docker0" counter accept comment "ICC"
    counter drop comment "UNPUBLISHED PORT DROP"
  }
  chain raw-PREROUTING {
    type filter hook prerouting priority raw; policy accept;
    ip daddr ADDRESS iifname != "docker0" counter drop comment "DROP DIRECT ACCESS"
  }
}
END`;

for (const { name, rules, remedies } of [
  {
    name: 'Docker 28',
    rules: DOCKER_28,
    remedies: [
      {
        said: /-t raw -A PREROUTING .*--allow-direct-routing/,
        script: `iptables ${RAW.replace('-A', '-D')}`,
      },
      {
        said: /iptables -I DOCKER-USER -d SUBNET -j ACCEPT/,
        script: 'iptables -I DOCKER-USER -d SUBNET -j ACCEPT',
      },
    ],
  },
  {
    name: 'Docker 29 with nftables',
    rules: DOCKER_29,
    remedies: [
      {
        said: /raw-PREROUTING .*--allow-direct-routing/,
        script: 'nft flush chain ip docker-bridges raw-PREROUTING',
      },
      {
        said: /UNPUBLISHED PORT DROP.*nat-unprotected/,
        script:
          'nft flush chain ip docker-bridges filter-forward-in__docker0; nft add rule ip docker-bridges filter-forward-in__docker0 counter accept comment UNPROTECTED',
      },
    ],
  },
]) {
  test(`${name} cuts the containers off: status names the rules and the remedies, which help`, {
    timeout: 120_000,
  }, async () => {
    await onSites({ hosts: 2 }, async (sites) => {
      const [{ member, container }, { container: remote }] = [siteAt(sites, 0), siteAt(sites, 1)];
      const filled = (text: string) =>
        text
          .replaceAll('ADDRESS', container.address)
          .replaceAll('SUBNET', container.address.replace(/\.\d+$/, '.0/24'));
      await member.host.script(filled(rules));
      const { code } = await remote.run(['ping', '-c', '1', '-W', '1', container.address]);
      assert.notEqual(code, 0, 'the rules bite');

      for (const { said, script } of remedies) {
        await eventually('status says so', SEEN_MS, async () =>
          assert.match((await firewallReason(member)) ?? '', new RegExp(filled(said.source))),
        );
        assert.ok((await statusOf(member.host)).ready, 'it is no fault of ours');
        await member.host.script(filled(script));
      }
      await reaches(remote, container.address);
      await reachEachOther([container, remote]);
      await eventually('nothing is said any more', SEEN_MS, async () =>
        assert.equal(await firewallReason(member), undefined),
      );
    });
  });
}

async function firewallReason({ host }: Member): Promise<string | undefined> {
  return (await statusOf(host)).objects.find(({ key }) => key === 'docker-bridge:docker0 firewall')?.reason;
}
