/** Containers of real Docker, started with the options that we write, are one network. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { memberAt } from '../lab/cluster.js';
import { assertReached, assertTransferred, onDockerHosts, startContainers } from '../lab/docker-scene.js';

/** Several hundred megabytes once is enough; the other time is in docker-orders.test.ts, under a policy of DROP. */
for (const { ipMasq, bytes } of [
  { ipMasq: false, bytes: 5_000_000 },
  { ipMasq: true, bytes: 300_000_000 },
]) {
  test(`real Docker, and ${ipMasq ? 'we masquerade' : 'Docker masquerades'}`, {
    timeout: 180_000,
  }, async (t) => {
    await onDockerHosts({ ipMasq }, async (scene) => {
      const { cluster, engines } = scene;
      await Promise.all(cluster.members.map((member) => member.run()));
      await Promise.all(engines.map((engine) => engine.start()));
      const containers = await startContainers(scene);
      const [{ host }, [engine]] = [memberAt(cluster, 0), engines];

      await t.test('A, B, C and the world outside reach each other', () => assertReached(scene, containers));

      await t.test('exactly one of the two masquerades', async () => {
        const docker = await host.output(['iptables', '-t', 'nat', '-S', 'POSTROUTING']);
        const ours = await host.output(['nft', 'list', 'tables', 'ip']);
        assert.deepEqual(
          [/! -o docker0 -j MASQUERADE/.test(docker), /flannelette-flannel0/.test(ours)],
          [!ipMasq, ipMasq],
        );
      });

      await t.test('the container has the MTU of the network', async () => {
        assert.match(await containers.a.exec('ip', 'address', 'show', 'eth0'), / mtu 1472 /);
      });

      await t.test('TCP arrives unchanged', () => assertTransferred(bytes, containers.c, containers.a));

      await t.test('status and diff have nothing to say of Docker', async () => {
        const member = memberAt(cluster, 0);
        assert.doesNotMatch((await member.command('status')).stdout, /docker-bridge/);
        assert.match((await member.command('diff')).stdout, /, 0 foreign left alone/);
      });

      await t.test('a change of ipMasq is seen, since Docker has to be told', async () => {
        const member = memberAt(cluster, 0);
        const changed = (await host.readFile(member.configPath)).replace(/ipMasq: \w+/, `ipMasq: ${!ipMasq}`);
        await host.writeFile(member.configPath, changed);
        const { code, stdout } = await member.command('apply');
        assert.equal(code, 0, stdout);
        const said = ipMasq ? /nobody masquerades/ : /docker masquerades .* as well as this host/;
        assert.match((await member.command('status')).stdout, said);
        await engine.restart();
        assert.doesNotMatch((await member.command('status')).stdout, /docker-bridge/);
      });
    });
  });
}
