/** What the commands say and leave when they cannot do what was asked: every exit code but 0 and 1. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Member, memberAt, onCluster } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { eventually } from '../lab/eventually.js';
import { worldDifference, worldOf } from '../lab/host-world.js';
import type { ProcessResult } from '../lab/process.js';
import { flannelette } from '../lab/repository.js';
import { leasesOf, storeOf } from '../lab/store-content.js';

/** No capability, and no way to get one back. */
const AS_NOBODY = [
  'setpriv',
  ...['--reuid', '65534', '--regid', '65534', '--clear-groups'],
  ...['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'],
];
const COMMAND = { timeoutMs: 60_000 };
/** Most of it is Node starting on a busy machine. */
const BEGUN_MS = 30_000;
const HEALED_MS = 30_000;
/** A store out of reach is told long before the 30 s that apply would wait for it. */
const AT_ONCE_MS = 20_000;

test('what needs neither etcd nor a daemon', { timeout: 120_000 }, async (t) => {
  await onCluster({ hosts: 1 }, async (cluster) => {
    const member = memberAt(cluster, 0);
    const { host } = member;

    await t.test('validate tells a valid file from one with mistakes, and shows each', async () => {
      assert.deepEqual(await member.command('validate'), {
        code: 0,
        stdout: '/run/flannelette.yaml: valid\n',
        stderr: '',
      });
      await host.writeFile('/run/bad.yaml', 'network:\n  cidr: 4.0.0.1/16\n  backend: { port: 82850 }\n');
      const { code, stdout, stderr } = await host.run(flannelette('validate', '/run/bad.yaml'), COMMAND);
      assert.deepEqual([code, stdout], [65, '']);
      assert.match(stderr, /^\/run\/bad\.yaml:2:9: network\.cidr: /m);
      assert.match(stderr, /^\/run\/bad\.yaml:3:20: network\.backend\.port: 82850 /m);
      assert.doesNotMatch(stderr, /^ +at |node:|\.js:/m, 'no stack trace');
    });

    await t.test('a wrong file stops every command before it touches anything', async () => {
      const before = [await worldOf(host), await storeOf(cluster)];
      for (const verb of ['diff', 'apply', 'run', 'status', 'destroy']) {
        const { code, stderr } = await host.run(flannelette(verb, '-f', '/run/bad.yaml'), COMMAND);
        assert.equal(code, 65, `${verb}: ${stderr}`);
        assert.match(stderr, /^\/run\/bad\.yaml:2:9: /m);
      }
      assert.deepEqual([await worldOf(host), await storeOf(cluster)], before);
    });

    await t.test('an unknown option or verb is a matter of usage', async () => {
      for (const args of [['--bogus'], ['diff', '--bogus'], ['polish'], ['apply', '--timeout', 'soon']]) {
        const { code, stdout, stderr } = await host.run(flannelette(...args), COMMAND);
        assert.deepEqual([code, stdout], [64, ''], args.join(' '));
        assert.match(stderr, /^error: /);
      }
    });

    await t.test('version prints the version', async () => {
      assert.match(await host.output(flannelette('version'), COMMAND), /^\d+\.\d+\.\d+\n$/);
      assert.equal(
        await host.output(flannelette('--version'), COMMAND),
        await host.output(flannelette('version'), COMMAND),
      );
    });

    await t.test("docker-opts writes Docker's options as flannel's script does", async () => {
      const missing = await host.run(flannelette('docker-opts'), COMMAND);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /^Cannot read \/run\/flannel\/subnet\.env: no such file/);
      await host.writeFile(
        '/run/flannel/subnet.env',
        'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.28.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=true\n',
      );
      const written = async (...flags: readonly string[]) => {
        await host.output(flannelette('docker-opts', '-d', '/run/written', ...flags), COMMAND);
        return host.readFile('/run/written');
      };
      const each =
        'DOCKER_OPT_BIP="--bip=10.1.28.1/24"\nDOCKER_OPT_IPMASQ="--ip-masq=false"\nDOCKER_OPT_MTU="--mtu=1472"\n';
      const combined = '=" --bip=10.1.28.1/24 --ip-masq=false --mtu=1472"\n';
      assert.equal(await written(), `${each}DOCKER_OPTS${combined}`);
      assert.equal(await written('-i'), each);
      assert.equal(await written('-c', '-k', 'DOCKER_NETWORK_OPTIONS'), `DOCKER_NETWORK_OPTIONS${combined}`);
    });
  });
});

test('a host that does not let us', { timeout: 120_000 }, async (t) => {
  await onCluster({ hosts: 2 }, async (cluster) => {
    const member = memberAt(cluster, 0);
    const { host } = member;

    await t.test('without privileges nothing is touched, etcd least of all', async () => {
      const before = [await worldOf(host), await storeOf(cluster)];
      for (const verb of ['apply', 'run', 'destroy']) {
        const { code, stderr } = await host.run(
          [...AS_NOBODY, ...flannelette(verb, '-f', member.configPath)],
          COMMAND,
        );
        assert.equal(code, 77, stderr);
        assert.match(stderr, /CAP_NET_ADMIN/);
      }
      assert.deepEqual([await worldOf(host), await storeOf(cluster)], before);
    });

    await t.test("somebody else's route in the way stops apply, and stays", async () => {
      await host.script('ip route add 4.0.0.0/16 via 10.8.0.1 proto static');
      assert.equal((await member.command('diff')).code, 7);
      const { code, stdout, stderr } = await member.command('apply');
      assert.equal(code, 7, stderr);
      assert.match(
        stderr,
        /^Something else is in the way: route:4\.0\.0\.0\/16: not ours: dev eth0, want flannel0/,
      );
      assert.match(stdout, /^Apply: 9 done, conflict$/m);
      assert.match(
        await host.output(['ip', 'route', 'show', '4.0.0.0/16']),
        /^4\.0\.0\.0\/16 via 10\.8\.0\.1 dev eth0 proto static/,
      );
    });

    await t.test('the daemon names it, and goes on by itself once it is gone', async () => {
      const daemon = member.start();
      await eventually('the daemon tells of the route', HEALED_MS, async () => {
        const { code, stdout } = await member.command('status');
        assert.equal(code, 1, daemon.lines.join('\n'));
        assert.match(stdout, /^flannel0: not ready: route:4\.0\.0\.0\/16 conflict: not ours: dev eth0/);
      });
      await host.script('ip route delete 4.0.0.0/16');
      await daemon.waitForLine(/"msg":"ready"/, HEALED_MS);
      assert.equal((await statusOf(host)).ready, true);
      assert.equal(await daemon.stop(), 0);
    });

    await t.test('an apply that is interrupted says so, and the next one finishes', async () => {
      const slow = memberAt(cluster, 1);
      // The last but one of its steps never ends.
      await slow.host.writeFile('/run/bin/iptables-restore', '#!/bin/sh\nexec sleep 1000\n');
      await slow.host.script('chmod +x /run/bin/iptables-restore');
      const argv = flannelette('apply', '-f', slow.configPath);
      const apply = slow.host.spawn(argv, {
        environment: { PATH: '/run/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      await eventually('apply is in the middle of it', BEGUN_MS, () =>
        slow.host
          .output(['ip', 'route', 'show', '4.0.0.0/16'])
          .then((route) => assert.match(route, /proto 77/)),
      );
      apply.signal('SIGINT');
      assert.equal(await apply.exited, 130);
      assert.deepEqual(apply.lines, ['Interrupted']);
      assert.equal((await slow.command('apply')).code, 0);
      assert.equal((await slow.command('diff')).code, 0);
      assert.equal((await leasesOf(cluster, slow.address)).length, 1);
    });
  });
});

test('a store that does not answer', { timeout: 120_000 }, async (t) => {
  await onCluster({ hosts: 1 }, async (cluster) => {
    const member = memberAt(cluster, 0);
    await cluster.etcdProcess.stop();

    await t.test('diff and apply name it, and change nothing', async () => {
      const before = await worldOf(member.host);
      const diff = await timed(() => member.command('diff'));
      assertUnreachable(diff);
      const apply = await timed(() => member.command('apply', '--timeout', '3s'));
      assertUnreachable(apply);
      assert.ok(apply.ms >= 3_000, `apply gave up after ${apply.ms} ms`);
      assert.deepEqual(worldDifference(before, await worldOf(member.host)), []);
    });

    await t.test('missing privileges are told all the same', async () => {
      const apply = [...AS_NOBODY, ...flannelette('apply', '-f', member.configPath)];
      assert.equal((await member.host.run(apply, COMMAND)).code, 77);
    });

    await t.test('an apply that waits for it can be interrupted', async () => {
      const apply = member.host.spawn(flannelette('apply', '-f', member.configPath));
      await eventually('apply runs', BEGUN_MS, () => assertHolds(member));
      apply.signal('SIGINT');
      assert.equal(await apply.exited, 130);
    });

    await t.test('the daemon says what it waits for', async () => {
      const daemon = member.start();
      await eventually('the daemon answers', HEALED_MS, async () => {
        const { ready, reason, store } = await statusOf(member.host);
        assert.equal(ready, false);
        assert.equal(reason, 'the store has not been read yet');
        assert.match(`${store.status} ${store.error}`, /^connecting .*connection refused/);
      });
      assert.equal(await daemon.stop(), 0);
    });
  });
});

async function timed(run: () => Promise<ProcessResult>): Promise<ProcessResult & { readonly ms: number }> {
  const start = performance.now();
  const result = await run();
  return { ...result, ms: performance.now() - start };
}

function assertUnreachable({ code, stdout, stderr, ms }: Awaited<ReturnType<typeof timed>>): void {
  assert.deepEqual([code, stdout], [69, '']);
  assert.equal(
    stderr,
    'Cannot read the network (etcd http://10.8.64.10:2379): connection refused; `flannelette doctor` looks closer\n',
  );
  assert.ok(ms < AT_ONCE_MS, `took ${ms} ms`);
}

/** Whether somebody holds the instance: its lock is an abstract socket. */
async function assertHolds({ host }: Member): Promise<void> {
  assert.match(await host.output(['cat', '/proc/net/unix']), /@flannelette\/flannel0/);
}
