/**
 * Containers by CNI, on bridges that are made from our subnet.env.
 *
 *     A   B              C
 *      └─┬┘              │
 *       cni0            cni0
 *      host1 ═ flannel0 ═ host2
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { ARTICLE_CONFIG, type Member, onCluster } from '../lab/cluster.js';
import { CniContainer, type NetworkList, type PluginConfig } from '../lab/cni.js';
import { eventually } from '../lab/eventually.js';
import { repositoryRoot } from '../lab/repository.js';

const EXAMPLES = join(repositoryRoot(), 'examples/cni');
const REACHED_MS = 10_000;

async function printedList({ host }: Member): Promise<NetworkList> {
  return JSON.parse(await host.output([join(EXAMPLES, 'bridge-conflist')])) as NetworkList;
}

for (const ipMasq of [false, true]) {
  test(`containers of the bridge plugin are one network, ipMasq ${ipMasq}`, {
    timeout: 120_000,
  }, async (t) => {
    const config = `${ARTICLE_CONFIG.replace('store:', `  ipMasq: ${ipMasq}\nstore:`)}docker: { mode: off }\n`;
    await onCluster({ hosts: 2, config }, async ({ members }) => {
      const [first, second] = members;
      assert.ok(first && second);
      await Promise.all(members.map((member) => member.run()));
      const [list, otherList] = [await printedList(first), await printedList(second)];
      const a = await CniContainer.start(first.host, 'a', list);
      const b = await CniContainer.start(first.host, 'b', list);
      const c = await CniContainer.start(second.host, 'c', otherList);

      await t.test('on one host, across hosts and back', async () => {
        for (const [from, to] of [
          [a, b],
          [a, c],
          [c, b],
        ] as const) {
          await eventually(`${from.name} reaches ${to.name}`, REACHED_MS, () =>
            from.output(['ping', '-n', '-c', '1', '-W', '1', to.address]),
          );
        }
      });

      await t.test('with the MTU of the network and the whole subnet', async () => {
        const subnet = /FLANNEL_SUBNET=(\S+)\.1\/24/.exec(
          await first.host.readFile('/run/flannel/subnet.env'),
        )?.[1];
        assert.equal(a.address, `${subnet}.2`);
        assert.match(await a.output(['ip', 'link', 'show', 'eth0']), / mtu 1472 /);
        assert.match(
          await a.output(['ip', 'route']),
          new RegExp(`^4\\.0\\.0\\.0/16 via ${subnet}\\.1 `, 'm'),
        );
      });

      await t.test('exactly one masquerades what leaves the network', async () => {
        // Nobody outside knows a way back to the containers.
        await eventually('a reaches outside', REACHED_MS, () =>
          a.output(['ping', '-n', '-c', '1', '-W', '1', '10.8.64.10']),
        );
        const nat = await first.host.output(['iptables', '-t', 'nat', '-S']);
        const ours = await first.host.output(['nft', 'list', 'tables', 'ip']);
        assert.deepEqual([/-j MASQUERADE/.test(nat), /flannelette-flannel0/.test(ours)], [!ipMasq, ipMasq]);
      });

      await t.test('an address is given back with its container', async () => {
        await b.remove(list);
        await assert.rejects(first.host.readFile(`/var/lib/cni/networks/flannelette/${b.address}`));
      });

      await t.test('nothing was written for Docker', async () => {
        await assert.rejects(first.host.readFile('/run/flannel/docker'));
      });
    });
  });
}

test('the list for the reference plugins is what the flannel plugin delegates', async () => {
  const flannel = JSON.parse(readFileSync(join(EXAMPLES, '10-flannelette.conflist'), 'utf8')) as NetworkList;
  await onCluster({ hosts: 1 }, async ({ members: [member] }) => {
    assert.ok(member);
    await member.command('apply');
    const env = await member.host.readFile('/run/flannel/subnet.env');
    const printed = await printedList(member);
    assert.deepEqual(
      {
        ...flannel,
        plugins: flannel.plugins.map((plugin) =>
          plugin.type === 'flannel' ? delegated(plugin, env) : plugin,
        ),
      },
      printed,
    );
  });
});

/** What the flannel plugin makes of subnet.env, which it reads strictly (flannel-io/cni-plugin, flannel.go and flannel_linux.go). */
function delegated({ delegate }: PluginConfig, env: string): PluginConfig {
  const variables = new Map(
    env
      .trimEnd()
      .split('\n')
      .map((line) => line.split('=', 2) as [string, string]),
  );
  const value = (name: string) => variables.get(name) ?? assert.fail(`the plugin needs ${name}`);
  const [address = '', length] = value('FLANNEL_SUBNET').split('/');
  return {
    type: 'bridge',
    isGateway: true,
    ipMasq: value('FLANNEL_IPMASQ') !== 'true',
    mtu: Number(value('FLANNEL_MTU')),
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: `${address.replace(/\.1$/, '.0')}/${length}` }]],
      routes: [{ dst: value('FLANNEL_NETWORK') }],
    },
    ...(delegate as object),
  };
}
