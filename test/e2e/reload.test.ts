/** The daemon follows its file, however it is changed; a bad one changes nothing and is told. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ETCD_URL, type Member, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import type { LongProcess } from '../lab/process.js';

const FOLLOWED_MS = 30_000;
/** Four times in a row sooner than the poll of ten seconds that is behind the watches. */
const AT_ONCE_MS = 4_000;

function config(network: string): string {
  return `network: { cidr: 4.0.0.0/16, ${network} }\nstore: { etcd: { endpoints: ["${ETCD_URL}"] } }\n`;
}

test('a file that changes under a running daemon', { timeout: 120_000 }, async (t) => {
  await onCluster({ hosts: 1 }, async (cluster) => {
    const member = memberAt(cluster, 0);
    const { host, configPath } = member;
    const daemon = await member.run();

    await t.test('written in place', async () => {
      await host.writeFile(configPath, config('mtu: 1400'));
      await followed(member, 1400);
    });

    await t.test('renamed into its place', async () => {
      await host.writeFile('/run/new.yaml', config('mtu: 1401'));
      await host.script(`mv /run/new.yaml ${configPath}`);
      await followed(member, 1401);
    });

    await t.test('deleted and made anew', async () => {
      await host.script(`rm ${configPath}`);
      const { config: told } = await eventually('the daemon misses its file', FOLLOWED_MS, async () => {
        const status = await statusOf(host);
        assert.ok(status.config.error);
        return status;
      });
      assert.match(told.error ?? '', /there is no such file/);
      await followed(member, 1401, { configError: told.error });
      await host.writeFile(configPath, config('mtu: 1402'));
      await followed(member, 1402);
    });

    await t.test('a link to another file', async () => {
      await host.writeFile('/run/mounted/..1/flannelette.yaml', config('mtu: 1403'));
      await host.script(`
cd /run/mounted
ln -s ..1 ..data
ln -s ..data/flannelette.yaml flannelette.yaml
ln -sfn mounted/flannelette.yaml ${configPath}`);
      await followed(member, 1403);
    });

    await t.test("a ConfigMap's swap of its data directory", async () => {
      await host.writeFile('/run/mounted/..2/flannelette.yaml', config('mtu: 1404'));
      // As kubelet does it (pkg/volume/util/atomic_writer.go).
      await host.script('cd /run/mounted; ln -s ..2 ..data_tmp; mv -T ..data_tmp ..data; rm -r ..1');
      await followed(member, 1404);
    });

    await t.test('a mount over it, which no watch sees, and SIGHUP', async () => {
      await host.writeFile('/run/other.yaml', config('mtu: 1405'));
      for (let turn = 0; turn < 2; turn++) {
        await host.script(`mount --bind /run/other.yaml ${configPath}`);
        daemon.signal('SIGHUP');
        await followed(member, 1405, { withinMs: AT_ONCE_MS });
        await host.script(`umount ${configPath}`);
        daemon.signal('SIGHUP');
        await followed(member, 1404, { withinMs: AT_ONCE_MS });
      }
    });

    await t.test('masquerading goes on and off, and Docker is told the inverse', async () => {
      const without = await worldOf(host);
      await host.writeFile(configPath, config('mtu: 1404, ipMasq: true'));
      await eventually('the table is there', FOLLOWED_MS, async () => {
        assert.match(await host.output(['nft', 'list', 'table', 'ip', 'flannelette-flannel0']), /masquerade/);
        assert.match(await host.readFile('/run/flannel/docker'), /--ip-masq=false/);
        assert.match(await host.readFile('/run/flannel/subnet.env'), /^FLANNEL_IPMASQ=true$/m);
      });
      await host.writeFile(configPath, config('mtu: 1404'));
      await eventually('all is as before', FOLLOWED_MS, async () =>
        assert.deepEqual(worldDifference(without, await worldOf(host)), []),
      );
    });

    await t.test('a bad one changes nothing, status says where it is wrong, a good one heals', async () => {
      const [before, lines] = [await worldOf(host), daemon.lines.length];
      for (const mtu of ['twelve', 'thirteen']) {
        // Renamed into its place: nobody can meet half of it, so one line in the log is what there must be.
        await host.writeFile('/run/bad.yaml', config(`mtu: ${mtu}`));
        await host.script(`mv /run/bad.yaml ${configPath}`);
        await eventually('status tells of the mistake', FOLLOWED_MS, async () => {
          const { config: told, ready } = await statusOf(host);
          assert.match(
            told.error ?? 'none',
            new RegExp(`^/run/flannelette\\.yaml:1:35: network\\.mtu: "?${mtu}"? `),
          );
          assert.equal(ready, true);
        });
      }
      assert.match((await member.command('status')).stdout, /kept, because: \/run\/flannelette\.yaml:1:35: /);
      const kept = daemon.lines.slice(lines).filter((line) => line.includes('configuration kept'));
      assert.equal(kept.length, 2, kept.join('\n'));
      for (const line of kept) assert.match(line, /"level":50.*"msg":"configuration kept"/);
      const left = worldDifference(before, await worldOf(host));
      assert.deepEqual(
        left.filter((line) => !line.includes(configPath)),
        [],
      );
      await host.writeFile(configPath, config('mtu: 1406'));
      await followed(member, 1406);
    });

    await t.test('another subnet is taken once the operator agrees', async () => {
      const before = await host.readFile('/run/flannel/subnet.env');
      await host.writeFile(configPath, `${config('mtu: 1406')}host: { subnet: 4.0.77.0/24 }\n`);
      const refused = await member.command('apply');
      assert.equal(refused.code, 7, refused.stderr);
      assert.match(
        refused.stderr,
        /^Nothing was changed: the file pins 4\.0\.77\.0\/24, .*--allow-renumber$/m,
      );
      assert.equal(await host.readFile('/run/flannel/subnet.env'), before);
      assert.deepEqual(
        (await statusOf(host)).conditions.map(({ type }) => type),
        ['RenumberRequired'],
      );
      const { code, stderr } = await member.command('apply', '--allow-renumber');
      assert.equal(code, 0, stderr);
      assert.match(await host.readFile('/run/flannel/subnet.env'), /^FLANNEL_SUBNET=4\.0\.77\.1\/24$/m);
    });

    await t.test('all of it without a restart, and without a storm in the log', () => {
      assertCalm(daemon);
    });
  });
});

/** The device and both files have this MTU, and the daemon is content. */
async function followed(
  { host }: Member,
  mtu: number,
  { configError, withinMs = FOLLOWED_MS }: { configError?: string | undefined; withinMs?: number } = {},
): Promise<void> {
  await eventually(`mtu ${mtu} is in force`, withinMs, async () => {
    assert.match(await host.output(['ip', 'link', 'show', 'flannel0']), new RegExp(` mtu ${mtu} `));
    assert.match(await host.readFile('/run/flannel/subnet.env'), new RegExp(`^FLANNEL_MTU=${mtu}$`, 'm'));
    assert.match(await host.readFile('/run/flannel/docker'), new RegExp(`--mtu=${mtu}`));
    const { ready, config, network } = await statusOf(host);
    assert.deepEqual([ready, config.error, network?.mtu], [true, configError, mtu]);
  });
}

/** Three lines for each of the dozen changes, and a few of the start. */
function assertCalm({ lines, isRunning }: LongProcess): void {
  assert.ok(isRunning);
  assert.ok(lines.length < 120, `${lines.length} lines:\n${lines.join('\n')}`);
}
