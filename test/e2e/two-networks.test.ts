/** Two networks on one host: two files that differ in name, network, port and place in the store, and say nothing of files. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARTICLE_CONFIG, type Member, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';

const SECOND_CONFIG = ARTICLE_CONFIG.replace('4.0.0.0/16', '10.5.0.0/16')
  .replace('port: 8285', 'port: 8286')
  .replace('endpoints:', 'prefix: /coreos.com/second, endpoints:')
  .concat('instance: { name: flannel1 }\n');

test('two networks on one host keep to what is their own', { timeout: 60_000 }, async (t) => {
  await onCluster({ hosts: 1 }, async (cluster) => {
    const first = memberAt(cluster, 0);
    const { host } = first;
    const second = first.another('/run/second.yaml');
    await host.writeFile(second.configPath, SECOND_CONFIG);
    const places = [
      { member: first, env: '/run/flannel/subnet.env', network: '4.0.0.0/16' },
      { member: second, env: '/run/flannel/networks/flannel1.env', network: '10.5.0.0/16' },
    ] as const;
    await first.run();
    const daemon = await second.run();

    await t.test('each writes its own file, and is as its own file wants it', async () => {
      for (const { member, env, network } of places) {
        assert.ok((await host.readFile(env)).startsWith(`FLANNEL_NETWORK=${network}\n`), env);
        await isInSync(member);
      }
      assert.ok((await statusOf(host)).ready && (await statusOf(host, 'flannel1')).ready);
    });

    await t.test('the options for Docker are those of the usual one', async () => {
      assert.match(await host.readFile('/run/flannel/docker'), /--bip=4\.0\./);
      assert.equal(await host.script('ls /run/flannel/networks'), 'flannel1.env\n');
    });

    await t.test('one that leaves takes nothing of the other along', async () => {
      daemon.signal('SIGTERM');
      await daemon.exited;
      const { code, stderr } = await second.command('destroy', '--lease');
      assert.equal(code, 0, stderr);
      assert.equal(
        await host.script('ls /run/flannel/networks; ip -brief link show | grep -o "^flannel[01]"'),
        'flannel0\n',
      );
      await isInSync(first);
    });
  });
});

async function isInSync(member: Member): Promise<void> {
  const { code, stdout } = await member.command('diff');
  assert.equal(code, 0, stdout);
}
