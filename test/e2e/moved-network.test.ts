/** Routes over an interface that is not ours tell whose they are by their network alone: what becomes of them when that moves. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { ETCD_URL, type Member, memberAt, onCluster } from '../lab/cluster.js';
import { eventually } from '../lab/eventually.js';

const FOLLOWED_MS = 60_000;

const REST = `host: { renumber: allow }\nstore: { etcd: { endpoints: ["${ETCD_URL}"] } }\n`;
const BACKENDS = ['type: host-gw', 'type: vxlan, directRouting: true'];

for (const backend of BACKENDS) {
  test(
    `routes over the external interface go with their network, also where nobody knows it any more (${backend})`,
    {
      timeout: 120_000,
    },
    (t) => networkMoves(t, backend),
  );
}

async function networkMoves(t: TestContext, backend: string): Promise<void> {
  const configOf = (cidr: string) =>
    `network: { cidr: ${cidr}, publish: always, backend: { ${backend} } }\n${REST}`;
  await onCluster({ hosts: 2, config: configOf('4.0.0.0/16') }, async (cluster) => {
    const [publisher, follower] = [memberAt(cluster, 0), memberAt(cluster, 1)];
    await follower.host.writeFile(follower.configPath, REST);
    await publisher.run();
    const daemon = await follower.run();
    const eachHasOne = (network: string) =>
      eventually(`one route each, in ${network}`, FOLLOWED_MS, async () => {
        for (const member of [publisher, follower])
          assert.match(
            await routesOf(member),
            new RegExp(`^${network}\\.\\d+\\.0/24 via \\S+ dev eth0 *\\n$`),
          );
      });
    await eachHasOne('4.0');

    await t.test('when the network moves', async () => {
      await publisher.host.writeFile(publisher.configPath, configOf('4.1.0.0/16'));
      await eachHasOne('4.1');
    });

    await t.test('and on destroy, which does not ask the store for the network', async () => {
      assert.equal(await daemon.stop(), 0);
      const { code, stderr } = await follower.command('destroy');
      assert.equal(code, 0, stderr);
      assert.equal(await routesOf(follower), '');
    });
  });
}

function routesOf({ host }: Member): Promise<string> {
  return host.output(['ip', 'route', 'show', 'proto', '77']);
}
