/** The unit that is shipped, run by systemd itself. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { StatusReport } from '../../src/model/status.js';
import { ARTICLE_CONFIG, ETCD_URL, Member } from '../lab/cluster.js';
import { parseDockerOptions } from '../lab/docker-bridge.js';
import { startEtcdOn } from '../lab/etcd-host.js';
import { eventually } from '../lab/eventually.js';
import type { Host } from '../lab/host.js';
import { addInstalledMachine, CONFIG_PATH, overrideUnit } from '../lab/installed-machine.js';
import type { Machine } from '../lab/machine.js';
import { slicesOf } from '../lab/time-slice.js';
import { onUnderlay, type Underlay } from '../lab/underlay.js';

const UNIT = 'flannelette.service';
const TARGET = 'flannelette-online.target';
const READY_MS = 30_000;
const TEST_MS = 240_000;

test('the unit before it is started', { timeout: TEST_MS }, async (t) => {
  await onUnderlay(async (underlay) => {
    const machine = await addInstalledMachine(underlay, 'machine', '10.8.65.1');
    const names = [UNIT, TARGET, 'flannelette-docker.path', 'flannelette-docker.service'];
    const units = names.map((unit) => `/usr/lib/systemd/system/${unit}`);

    await t.test('is what systemd takes for correct', async () => {
      const { code, stdout, stderr } = await machine.run(['systemd-analyze', 'verify', ...units]);
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
    });

    await t.test('is at most 2.5 exposed, by the measure of systemd-analyze', async () => {
      const security = ['systemd-analyze', 'security', '--no-pager', '--offline=true', '--threshold=25'];
      const { code, stdout } = await machine.run([...security, units[0] ?? '']);
      assert.equal(code, 0, stdout);
      t.diagnostic(stdout.trim().split('\n').at(-1) ?? '');
    });

    for (const [name, lines, missing] of [
      ['a capability', 'AmbientCapabilities=', 'CAP_NET_ADMIN'],
      ['the TUN device', 'DeviceAllow=', '/dev/net/tun'],
    ] as const) {
      await t.test(`without ${name} it says so and does not try again`, async () => {
        await overrideUnit(machine, UNIT, lines);
        assert.notEqual((await machine.run(['systemctl', 'start', UNIT])).code, 0);
        assert.equal(await machine.property(UNIT, 'ExecMainStatus'), '77');
        assert.equal(await activeState(machine), 'failed');
        assert.ok((await machine.journal()).includes(missing), await machine.journal());
        await overrideUnit(machine, UNIT, '');
      });
    }

    await t.test('does nothing on a host without a configuration', async () => {
      await machine.script(`rm ${CONFIG_PATH}\nsystemctl reset-failed`);
      await machine.systemctl('start', UNIT);
      assert.equal(await machine.property(UNIT, 'ConditionResult'), 'no');
      assert.equal(await activeState(machine), 'inactive');
    });
  });
});

test('the unit is active once packets can flow, and not before', { timeout: TEST_MS }, async () => {
  await onUnderlay(async (underlay) => {
    const { machine, etcd } = await machineAndEtcd(underlay);
    const other = new Member(await underlay.addHost('other', '10.8.65.2'), '10.8.65.2');
    await other.host.writeFile(other.configPath, ARTICLE_CONFIG);

    await machine.systemctl('start', '--no-block', TARGET);
    await eventuallyIs(machine, 'StatusText', /^not ready: .*; etcd .*10\.8\.64\.10.* is connecting: /);
    assert.equal(await activeState(machine), 'activating');
    assert.equal(await activeState(machine, TARGET), 'inactive');

    await startEtcdOn(etcd, ETCD_URL);
    await eventuallyIs(machine, 'ActiveState', /^active$/, TARGET);
    assert.match(await machine.property(UNIT, 'StatusText'), /^ready: 4\.0\.\d+\.0\/24 by udp, MTU 1472$/);

    // From this host's address in the overlay to a container of the other host.
    await other.run();
    const container = await (await other.docker()).addContainer('c', 3);
    const { bip } = parseDockerOptions(await machine.readFile('/run/flannel/docker'));
    await machine.script(`ip link add docker0 type bridge\nip address add ${bip} dev docker0`);
    const [source = ''] = bip.split('/');
    await eventually('a ping', READY_MS, () =>
      machine.output(['ping', '-c', '1', '-W', '1', '-I', source, container.address]),
    );
  });
});

test('the unit while it runs', { timeout: TEST_MS }, async (t) => {
  await onUnderlay(async (underlay) => {
    const { machine, etcd } = await machineAndEtcd(underlay);
    await startEtcdOn(etcd, ETCD_URL);
    // Without a number to answer with, the kernel kills whoever makes a system call that is not allowed.
    await overrideUnit(machine, UNIT, 'SystemCallErrorNumber=\nWatchdogSec=3');
    await machine.script('iptables-legacy -P FORWARD DROP');
    await machine.systemctl('start', UNIT);
    const mainPid = () => machine.property(UNIT, 'MainPID');
    const otherMtu = ARTICLE_CONFIG.replace('cidr:', 'publish: always\n  mtu: 1300\n  cidr:');

    await t.test('it is an ordinary user with three capabilities, and cannot get more', async () => {
      const status = await machine.readFile(`/proc/${await mainPid()}/status`);
      // CAP_NET_ADMIN is 12, CAP_NET_RAW 13, CAP_BPF 39
      for (const set of ['Eff', 'Prm', 'Bnd'])
        assert.match(status, new RegExp(`^Cap${set}:\\s+0000008000003000$`, 'm'));
      assert.match(status, /^NoNewPrivs:\s+1$/m);
      assert.match(status, /^Seccomp:\s+2$/m);
      const user = (await machine.output(['id', '--user', 'flannelette'])).trim();
      assert.notEqual(user, '0');
      assert.match(status, new RegExp(`^Uid:(\\s+${user}){4}$`, 'm'));
    });

    await t.test('it can write to its three directories alone', async () => {
      const { stdout, stderr } = await machine.run([
        ...['nsenter', '--target', await mainPid(), '--mount', '--'],
        ...['setpriv', '--reuid=flannelette', '--regid=flannelette', '--clear-groups', 'sh', '-c'],
        `for path in /etc/flannelette /usr/lib /run /var/lib /var /; do
           touch $path/x 2>/dev/null && echo made $path/x
         done
         for path in /proc/sys/kernel/core_pattern ${CONFIG_PATH}; do
           (true >>$path) 2>/dev/null && echo opened $path
         done
         for path in /run/flannel /run/flannelette /var/lib/flannelette; do touch $path/x && rm $path/x; done
         echo end`,
      ]);
      assert.deepEqual({ stdout, stderr }, { stdout: 'end\n', stderr: '' });
    });

    await t.test('its packet loop lets others go first', async () => {
      const [usual = 0, ...others] = await slicesOf(await mainPid(), (argv) => machine.output(argv));
      assert.deepEqual(
        others.filter((ms) => ms > usual),
        [5],
      );
    });

    await t.test('root beside it is told who holds the instance', async () => {
      const pid = await mainPid();
      const { code, stderr } = await machine.run(['flannelette', 'destroy', '-f', CONFIG_PATH]);
      assert.equal(code, 75, stderr);
      assert.match(stderr, new RegExp(`process ${pid} holds it`));
      const locks = await machine.output([
        'sh',
        '-c',
        'stat --format "%U %a" /run/flannelette/flannel0.*.lock',
      ]);
      assert.equal(locks, 'flannelette 600\n');
    });

    await t.test('it keeps its chain in the legacy tables too, since the host has some', async () => {
      for (const program of ['iptables-legacy', 'iptables']) {
        const rules = await machine.output([program, '-S', 'FORWARD']);
        assert.match(rules, /^-A FORWARD .*-j FLANNEL-FWD$/m, program);
      }
    });

    await t.test('the members of its group may ask for the status, and nobody else', async () => {
      await machine.script('useradd --groups flannelette member\nuseradd stranger');
      const ask = (user: string) => {
        const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups'];
        return machine.run([...as, 'flannelette', 'status', '-f', CONFIG_PATH]);
      };
      assert.equal((await ask('member')).code, 0);
      const { code, stderr } = await ask('stranger');
      assert.equal(code, 77, stderr);
      assert.match(stderr, /members of the socket's group/);
    });

    await t.test('a reload takes the new file, and keeps the old one when the new one is wrong', async () => {
      await machine.writeFile(CONFIG_PATH, ARTICLE_CONFIG.replace('cidr:', 'mtu: 1400\n  cidr:'));
      await machine.systemctl('reload', UNIT);
      await eventuallyIs(machine, 'StatusText', /^ready: .*, MTU 1400$/);
      await machine.writeFile(CONFIG_PATH, 'network: 7\n');
      await machine.systemctl('reload', UNIT);
      await eventuallyIs(
        machine,
        'StatusText',
        /MTU 1400; configuration kept: \/etc\/flannelette\/.*network/,
      );
      assert.equal(await activeState(machine), 'active');
      await machine.writeFile(CONFIG_PATH, ARTICLE_CONFIG);
      await machine.systemctl('reload', UNIT);
      await eventually('the files', READY_MS, async () =>
        assert.match(await machine.readFile('/run/flannel/subnet.env'), /^FLANNEL_MTU=1472$/m),
      );
    });

    await t.test('a deleted device is made again', async () => {
      await machine.script('ip link delete flannel0');
      await eventually('flannel0', READY_MS, () =>
        machine.script('ip route get 4.0.255.1 | grep "dev flannel0"'),
      );
    });

    await t.test('a restart leaves device, routes and files as they are, and so does a kill', async () => {
      const before = await whatStays(machine);
      const [first, restarts] = [await mainPid(), Number(await machine.property(UNIT, 'NRestarts'))];
      await machine.systemctl('restart', UNIT);
      assert.notEqual(await mainPid(), first);
      assert.equal(await whatStays(machine), before);

      await machine.script(`kill -KILL ${await mainPid()}`);
      await eventuallyIs(machine, 'NRestarts', new RegExp(`^${restarts + 1}$`));
      await eventuallyIs(machine, 'ActiveState', /^active$/);
      assert.equal(await whatStays(machine), before);
    });

    await t.test(
      'it lives as long as it gives signs of life, and is restarted when it gives none',
      async () => {
        const fedAt = () => machine.property(UNIT, 'WatchdogTimestampMonotonic').then(Number);
        const [pid, restarts] = [await mainPid(), Number(await machine.property(UNIT, 'NRestarts'))];
        const first = await fedAt();
        await eventually('signs of life', READY_MS, async () => {
          const passedUs = (await fedAt()) - first;
          assert.ok(passedUs > 4_000_000, `${passedUs} µs`);
        });
        assert.equal(await mainPid(), pid);
        await machine.script(`kill -STOP ${pid}`);
        await eventuallyIs(machine, 'NRestarts', new RegExp(`^${restarts + 1}$`));
        await eventuallyIs(machine, 'ActiveState', /^active$/);
        assert.match(await machine.journal(), /Watchdog timeout/);
      },
    );

    await t.test(
      'what is on trial outlives a restart, and not the keeper that went with the power',
      async () => {
        const restart = () => machine.systemctl('restart', UNIT);
        const mtuIs = (mtu: number) =>
          eventuallyIs(machine, 'StatusText', new RegExp(`^ready: .*, MTU ${mtu}$`));
        const ofFile = () => machine.output(['stat', '--format', '%i %U %G %a', CONFIG_PATH]);
        await machine.script(`chown root:flannelette ${CONFIG_PATH}\nchmod 640 ${CONFIG_PATH}`);
        const before = await ofFile();
        await machine.writeFile(
          '/root/candidate.yaml',
          ARTICLE_CONFIG.replace('cidr:', 'mtu: 1350\n  cidr:'),
        );
        const tried = await machine.output([
          ...['flannelette', 'try', '-f', CONFIG_PATH, '--timeout', '1h', '/root/candidate.yaml'],
        ]);
        await mtuIs(1350);
        await restart();
        await mtuIs(1350);
        const [, keeper] = /process (\d+)/.exec(tried) ?? [];
        await machine.script(`kill -KILL ${keeper}`);
        await restart();
        await mtuIs(1472);
        assert.equal(await ofFile(), before);
        assert.match(await machine.journal(), /Put back .*: what was on trial there was never confirmed/);
      },
    );

    await t.test('a stop leaves everything to the next start', async () => {
      const before = await whatStays(machine);
      await machine.systemctl('stop', UNIT);
      assert.equal(await machine.property(UNIT, 'Result'), 'success', await machine.journal());
      assert.equal(await whatStays(machine), before);
    });

    await t.test('what root applies meanwhile is no obstacle to it', async () => {
      await machine.writeFile(CONFIG_PATH, otherMtu);
      await machine.output(['flannelette', 'destroy', '-f', CONFIG_PATH], { timeoutMs: READY_MS });
      await machine.output(['flannelette', 'apply', '-f', CONFIG_PATH], { timeoutMs: READY_MS });
      await machine.systemctl('start', UNIT);
      assert.match(await machine.property(UNIT, 'StatusText'), /^ready: .*, MTU 1300$/);
      const foreign = [
        'find',
        '/run/flannel',
        '/run/flannelette',
        '/var/lib/flannelette',
        '!',
        '-user',
        'flannelette',
      ];
      assert.equal(await machine.output(foreign), '');
    });

    const statusNow = async () => {
      const answer = await machine.output(['flannelette', 'status', '-f', CONFIG_PATH, '-o', 'json']);
      return JSON.parse(answer) as StatusReport;
    };
    const eventuallyNotes = (fastPath: boolean, want: RegExp) =>
      eventually(`a fast path: ${fastPath}`, READY_MS, async () => {
        const { ready, notes, traffic } = await statusNow();
        assert.deepEqual([ready, traffic.offloads.fastPath], [true, fastPath]);
        assert.match(notes.join('\n'), want);
      });

    await t.test('it has a fast path, as long as no rule would have to see what that carries', async () => {
      await eventuallyNotes(true, /^$/);
      for (const program of ['iptables', 'iptables-legacy']) {
        const rule = 'INPUT -p udp -m udp --dport 8285 -j DROP';
        await machine.script(`${program} -I ${rule}`);
        await eventuallyNotes(
          false,
          new RegExp(`the fast path would pass by ${program} .*--dport 8285 -j DROP`),
        );
        await machine.script(`${program} -D ${rule}`);
        await eventuallyNotes(true, /^$/);
      }
    });

    await t.test(
      'without the privilege for one it is ready all the same, and says what it lacks',
      async () => {
        const capabilities = (set: string) => `${set}=\n${set}=CAP_NET_ADMIN CAP_NET_RAW`;
        const without = ['AmbientCapabilities', 'CapabilityBoundingSet'].map(capabilities).join('\n');
        for (const [lines, want] of [
          [without, /CAP_BPF is missing; .* flannelette\.service/],
          ['SystemCallFilter=~bpf', /bpf\(2\) is forbidden in spite of CAP_BPF/],
        ] as const) {
          await overrideUnit(machine, UNIT, lines);
          await machine.systemctl('restart', UNIT);
          await eventuallyNotes(false, want);
        }
      },
    );
  });
});

async function machineAndEtcd(underlay: Underlay): Promise<{ machine: Machine; etcd: Host }> {
  const machine = await addInstalledMachine(underlay, 'machine', '10.8.65.1');
  return { machine, etcd: await underlay.addHost('etcd', '10.8.64.10') };
}

function activeState(machine: Machine, unit = UNIT): Promise<string> {
  return machine.property(unit, 'ActiveState');
}

async function eventuallyIs(machine: Machine, property: string, want: RegExp, unit = UNIT): Promise<void> {
  await eventually(`${property} of ${unit}`, READY_MS, async () =>
    assert.match(await machine.property(unit, property), want),
  );
}

/** The device itself, its routes (down or not), and the files themselves. */
function whatStays(machine: Machine): Promise<string> {
  return machine.script(`
cat /sys/class/net/flannel0/ifindex
ip route show dev flannel0 | sed 's/ linkdown//'
stat --format='%n %i %Y %U %a' /run/flannel/subnet.env /run/flannel/docker
cat /run/flannel/subnet.env`);
}
