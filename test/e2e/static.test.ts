/**
 * A network without a server: the two files of examples/static, each on its host.
 *
 *    container .3                container .3
 *    a 10.8.65.66  ══ UDP 8285 ══  b 10.8.65.53
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { Member } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { repositoryRoot } from '../lab/repository.js';
import { reachEachOther, reaches, withContainer } from '../lab/sites.js';
import { onUnderlay } from '../lab/underlay.js';

const FOLLOWED_MS = 30_000;

test('the files of examples/static make a network of two hosts', { timeout: 120_000 }, async (t) => {
  await onUnderlay(async (underlay) => {
    const member = async (name: string, address: string) => {
      const host = await underlay.addHost(name, address);
      const file = join(repositoryRoot(), `examples/static/${name}.yaml`);
      await host.writeFile('/run/flannelette.yaml', await readFile(file, 'utf8'));
      return new Member(host, address);
    };
    const a = await member('a', '10.8.65.66');
    const b = await member('b', '10.8.65.53');

    await t.test('apply puts everything in place, and diff has nothing to show', async () => {
      for (const one of [a, b]) {
        assert.equal((await one.command('diff')).code, 1, one.host.name);
        const apply = await one.command('apply');
        assert.equal(apply.code, 0, apply.stderr);
        const diff = await one.command('diff');
        assert.equal(diff.code, 0, diff.stdout);
      }
      assert.match(await a.host.readFile('/run/flannel/subnet.env'), /^FLANNEL_SUBNET=4\.0\.100\.1\/24$/m);
      assert.match(await b.host.readFile('/run/flannel/subnet.env'), /^FLANNEL_SUBNET=4\.0\.32\.1\/24$/m);
    });

    const daemon = await a.run();
    await b.run();
    const near = await withContainer(a);
    const far = await withContainer(b);

    await t.test('containers reach each other', async () => {
      await reachEachOther([near.container, far.container]);
      const { ready, store, lease, peers } = await statusOf(a.host);
      assert.deepEqual([ready, store.status, lease], [true, 'live', undefined]);
      assert.deepEqual(
        peers.map(({ subnet, publicIp }) => [subnet, publicIp]),
        [['4.0.32.0/24', '10.8.65.53']],
      );
    });

    await t.test('a list of peers that is edited is followed', async () => {
      const file = await a.host.readFile(a.configPath);
      await a.host.writeFile(a.configPath, file.replace(/^.*# b\n/m, ''));
      await eventually('b is forgotten', FOLLOWED_MS, async () =>
        assert.deepEqual((await statusOf(a.host)).peers, []),
      );
      const { stdout } = await near.container.run(['ping', '-c', '1', '-W', '2', far.container.address]);
      assert.match(stdout, /Destination Net Unreachable/);
      await a.host.writeFile(a.configPath, file);
      await reaches(near.container, far.container.address);
      assert.ok(daemon.isRunning);
    });
  });
});
