/** `try` on a real host: whoever started it may go, and the daemon too; what was not confirmed is taken back. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ARTICLE_CONFIG, memberAt, onCluster } from '../lab/cluster.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import { CANDIDATE, LOSSES, lostTrial } from '../lab/trial.js';

/** Above the bar of a second, which `make trials` holds alone on the machine: this one has neighbours. */
const MOST_LATE_MS = 4_000;
const TRIAL_MS = 6_000;

test('a trial outlives its command, its terminal and the daemon', { timeout: 180_000 }, async (t) => {
  await onCluster({ hosts: 1 }, async (cluster) => {
    const member = memberAt(cluster, 0);
    const applied = await member.command('apply');
    assert.equal(applied.code, 0, applied.stderr);
    for (const loss of LOSSES) {
      await t.test(`with its ${loss} gone, everything is as before when its time is up`, async () => {
        const lateMs = await lostTrial(member, loss, TRIAL_MS);
        assert.ok(lateMs <= MOST_LATE_MS, `${lateMs} ms late`);
      });
    }

    await t.test('what is confirmed stays, and what is rolled back goes at once', async () => {
      const before = await worldOf(member.host);
      await member.host.writeFile('/run/candidate.yaml', CANDIDATE);
      for (const verb of ['rollback', 'confirm']) {
        const tried = await member.command('try', '--timeout', '1h', '/run/candidate.yaml');
        assert.equal(tried.code, 0, tried.stderr);
        assert.match(await member.host.output(['ip', 'link', 'show', 'flannel0']), / mtu 1400 /);
        const { code, stderr } = await member.command(verb);
        assert.equal(code, 0, stderr);
        const isBack = worldDifference(before, await worldOf(member.host)).length === 0;
        assert.equal(isBack, verb === 'rollback', verb);
      }
      assert.equal(await member.host.readFile(member.configPath), CANDIDATE);
    });

    await t.test('a directory is on trial as a whole, while a daemon follows it', async () => {
      const { host } = member;
      const of = member.another('/run/conf.d');
      await host.writeFile('/run/conf.d/10-fleet.yaml', ARTICLE_CONFIG);
      await host.writeFile('/run/next.d/20-changed.yaml', CANDIDATE);
      const daemon = await of.run();
      const isChanged = async () => / mtu 1400 /.test(await host.output(['ip', 'link', 'show', 'flannel0']));
      for (const verb of ['rollback', 'confirm']) {
        const tried = await of.command('try', '--timeout', '1h', '/run/next.d');
        assert.equal(tried.code, 0, tried.stderr);
        const status = await of.command('status');
        assert.match(status.stdout, /^trial +\/run\/conf\.d is on trial until \S+, begun by /m);
        assert.match(status.stdout, /^ChangeOnTrial /m);
        assert.deepEqual(
          [await isChanged(), await host.output(['ls', '/run/conf.d'])],
          [true, '20-changed.yaml\n'],
        );
        const { code, stderr } = await of.command(verb);
        assert.equal(code, 0, stderr);
        assert.equal(await isChanged(), verb === 'confirm');
      }
      assert.doesNotMatch((await of.command('status')).stdout, /^trial |ChangeOnTrial/m);
      assert.equal(await host.output(['sh', '-c', 'ls -d /run/conf.d*']), '/run/conf.d\n');
      await daemon.stop();
    });
  });
});
