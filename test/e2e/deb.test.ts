/** The Debian packages: what is in them, and their life on a machine from the first installation to the purge. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ARTICLE_CONFIG, ETCD_URL, Member } from '../lab/cluster.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { CONFIG_PATH } from '../lab/installed-machine.js';
import type { Machine } from '../lab/machine.js';
import { outputOf, type ProcessResult } from '../lab/process.js';
import { repositoryRoot } from '../lab/repository.js';
import { onUnderlay } from '../lab/underlay.js';

const UNIT = 'flannelette.service';
const TEST_MS = 240_000;
const BUILD_MS = 120_000;
/** On the machine. */
const PACKAGES = '/root/packages';
const DROP_IN = '/etc/systemd/system/docker.service.d/flannelette.conf';

test('the Debian packages', { timeout: TEST_MS }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'flannelette-debs-'));
  try {
    // Quickly rather than small.
    const build = join(repositoryRoot(), 'scripts/build-debs');
    await outputOf([build, directory, '-Zzstd', '-z1'], { timeoutMs: BUILD_MS });
    const names = (await readdir(directory)).sort();
    const [ours = '', node = ''] = ['flannelette_', 'flannelette-node_'].map((start) =>
      names.find((name) => name.startsWith(start)),
    );

    await t.test('ours holds what is executed, and little else', async () => {
      const listing = await outputOf(['dpkg-deb', '--contents', join(directory, ours)]);
      for (const path of [
        'dist/program/bin/main.js',
        'node_modules/koffi/package.json',
        'node_modules/etcd3/package.json',
      ])
        assert.ok(listing.includes(`./usr/lib/flannelette/${path}\n`), `${path} in\n${listing}`);
      const foreign =
        /\/node_modules\/(typescript|@biomejs|fast-check|@types|node-addon-api)\/|\.(ts|map|cc|c|h)$|(?<!LICEN[CS]E)\.md$/m;
      const program = listing.split('\n').filter((line) => line.includes('./usr/lib/flannelette/'));
      assert.deepEqual(
        program.filter((line) => foreign.test(line)),
        [],
      );
      assert.deepEqual(
        program.filter((line) => line.endsWith('.node')).length,
        1,
        "koffi's part for this architecture alone",
      );
      assert.doesNotMatch(listing, /^\S+ (?!root\/root )/m, 'everything is root’s');
      const { size } = await stat(join(directory, ours));
      assert.ok(size < 5_000_000, `${size} bytes`);
    });

    await t.test('the same sources make the same package', async () => {
      const again = join(directory, 'again');
      await outputOf([build, again, '-Zzstd', '-z1'], { timeoutMs: BUILD_MS });
      await outputOf(['cmp', join(directory, ours), join(again, ours)]);
    });

    await onUnderlay(async (underlay) => {
      const machine = await underlay.addMachine('machine', '10.8.65.1');
      const etcd = await underlay.addHost('etcd', '10.8.64.10');
      await startEtcdOn(etcd, ETCD_URL);
      await machine.script(`mkdir ${PACKAGES}`);
      await outputOf(['cp', join(directory, ours), join(directory, node), machine.seenFromOutside(PACKAGES)]);
      const before = new Set(await ourPaths(machine));
      const leftOver = async () => (await ourPaths(machine)).filter((path) => !before.has(path));
      // As on Debian 12, whose nodejs is 18: what this machine runs Node by is none of the package's business.
      await dpkg(machine, '--remove', '--force-depends', 'nodejs');

      await t.test('without a Node it is not configured, and says what it lacks', async () => {
        const { code, stderr } = await dpkg(machine, '--install', `${PACKAGES}/${ours}`);
        assert.notEqual(code, 0);
        assert.match(stderr, /flannelette depends on nodejs \(>= 20\.18\) \| flannelette-node \(>= 20\.18\)/);
      });

      await t.test('with flannelette-node it is, and waits for a configuration', async () => {
        await mustDpkg(machine, '--install', `${PACKAGES}/${node}`);
        await mustDpkg(machine, '--configure', 'flannelette');
        assert.match(await machine.output(['flannelette', 'version']), /^\d+\.\d+\.\d+\n$/);
        assert.equal((await machine.run(['sh', '-c', 'command -v node'])).stdout, '', 'a Node in PATH');
        assert.equal(await machine.property(UNIT, 'UnitFileState'), 'enabled');
        assert.equal(await machine.property(UNIT, 'ActiveState'), 'inactive');
        assert.equal(
          await machine.script('stat --format="%U %G %a" /run/xtables.lock'),
          'root flannelette 660\n',
        );
      });

      // The steps of the manual, in its own words.
      const second = new Member(await underlay.addHost('second', '10.8.65.2'), '10.8.65.2');
      for (const [section, want, prepare] of [
        ['2. Configure', 0],
        ['3. Look first', 1],
        ['4. Start', 0],
        ['5. Verify', 0],
        ['6. Docker', 0],
        ['7. From host to host', 0, () => runWithDocker(second)],
      ] as const) {
        await t.test(`the manual's "${section}" does what it says`, async () => {
          await prepare?.();
          // In the directory that the first of them goes to.
          const commands = `cd /etc/flannelette\n${await commandsOf(section)}`;
          const { code, stdout, stderr } = await machine.run(['sh', '-uc', commands], { timeoutMs: 60_000 });
          assert.equal(code, want, `${stdout}${stderr}`);
        });
      }

      await t.test(
        'an upgrade puts a new daemon in the place of the old one, and leaves the network up',
        async () => {
          const [pid, device] = [await machine.property(UNIT, 'MainPID'), await flannel0(machine)];
          await machine.script(`
cd ${PACKAGES}
dpkg-deb --raw-extract ${ours} new
sed -i 's/^Version: .*/&+next/' new/DEBIAN/control
dpkg-deb -Zzstd -z1 --root-owner-group --build new next.deb >/dev/null`);
          await mustDpkg(machine, '--install', `${PACKAGES}/next.deb`);
          assert.equal(await machine.property(UNIT, 'ActiveState'), 'active');
          assert.notEqual(await machine.property(UNIT, 'MainPID'), pid);
          assert.equal(await flannel0(machine), device);
        },
      );

      await t.test('removed it takes its network along, and leaves the configuration', async () => {
        await mustDpkg(machine, '--remove', 'flannelette');
        assert.equal(machine.exists('/sys/class/net/flannel0'), false);
        assert.equal(
          await machine.output(['nft', 'list', 'ruleset']).then((rules) => /flannel/i.test(rules)),
          false,
        );
        assert.equal(await machine.property(UNIT, 'LoadState'), 'not-found');
        // dpkg's way: configuration and state, also that of being enabled, stay until the purge.
        const left = (await leftOver()).filter((path) => !path.includes('flannelette-node'));
        assert.deepEqual(
          left.filter((path) => !/^\/(etc|var\/lib)\//.test(path)),
          [],
        );
        assert.ok(left.includes(CONFIG_PATH));
      });

      await t.test('installed again it is what it was', async () => {
        await mustDpkg(machine, '--install', `${PACKAGES}/${ours}`);
        assert.equal(await machine.property(UNIT, 'ActiveState'), 'active', await machine.journal());
      });

      await t.test("purged it leaves what the administrator wrote, and its user's name", async () => {
        await mustDpkg(machine, '--purge', 'flannelette', 'flannelette-node');
        assert.deepEqual(await leftOver(), ['/etc/flannelette', CONFIG_PATH, DROP_IN]);
      });
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

/** A host that was set up as the first one was, as far as that can see. */
async function runWithDocker(member: Member): Promise<void> {
  await member.host.writeFile(member.configPath, ARTICLE_CONFIG);
  await member.run();
  await member.docker();
}

function dpkg(machine: Machine, ...args: readonly string[]): Promise<ProcessResult> {
  // Without syncing every file to a disk that is thrown away.
  return machine.run(['dpkg', '--force-unsafe-io', ...args], { timeoutMs: 60_000 });
}

async function mustDpkg(machine: Machine, ...args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await dpkg(machine, ...args);
  assert.equal(code, 0, `${stdout}${stderr}${await machine.journal()}`);
  // Its scripts go on after what systemd refuses, which then shows here. The directory has the administrator's file.
  const said = `${stdout}${stderr}`.replace(/^dpkg: warning: .* '\/etc\/flannelette' not empty.*\n/m, '');
  assert.doesNotMatch(said, /fail|error|warning|cannot|not running/i);
}

/** The first commands of a section of docs/install.md. */
async function commandsOf(section: string): Promise<string> {
  const manual = await readFile(join(repositoryRoot(), 'docs/install.md'), 'utf8');
  const [, text = ''] = manual.split(`\n## ${section}\n`);
  const [, commands] = /^```sh\n([\s\S]*?)^```$/m.exec(text.split('\n## ')[0] ?? '') ?? [];
  if (commands === undefined) throw new Error(`docs/install.md has no commands in section "${section}"`);
  return commands;
}

function flannel0(machine: Machine): Promise<string> {
  return machine.script('cat /sys/class/net/flannel0/ifindex; cat /run/flannel/subnet.env');
}

/** Files and directories that are named after us, but for dpkg's own records. */
async function ourPaths(machine: Machine): Promise<readonly string[]> {
  const found = await machine.output(
    [
      ...['find', '/etc', '/run', '/usr', '/var', '-path', '/var/lib/dpkg', '-prune', '-o'],
      ...['(', '-name', '*flannel*', '-o', '-path', '*/flannelette/*', ')', '-print'],
    ],
    { timeoutMs: 60_000 },
  );
  return found.split('\n').sort();
}
