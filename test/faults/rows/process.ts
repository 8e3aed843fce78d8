/** The daemon's process: ended, killed, frozen, stalled, and doubled. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { worldDifference, worldOf } from '../../lab/host-world.js';
import { NotifySocket } from '../../lab/notify-socket.js';
import { leasesOf } from '../../lab/store-content.js';
import type { Row, Size } from '../row.js';
import { CONFIG, type Scene } from '../scene.js';
import { ASK_EVERY_MS, HEALED_MS } from '../station.js';

const EXIT_HELD = 75;
const FREEZE_MS = { test: 500, standard: 10_000, full: 60_000 } as const;
const STALL_MS = { test: 1_500, standard: 10_000, full: 10_000 } as const;

export const PROCESS_ROWS: readonly Row[] = [
  {
    id: 'P1',
    fault: 'the daemon gets SIGTERM',
    expected:
      'It stops and exits with 0. Device, addresses, routes, rules, files and lease stay, for the next one.',
    bar: { healedMs: 1_000 },
    counts: { test: 1, standard: 10, full: 30 },
    inject: terminated,
  },
  {
    id: 'P2',
    fault: 'the daemon gets SIGKILL and is started again',
    expected: 'The next one adopts what is there and forwards before it asks anybody. It takes no new lease.',
    bar: { lost: 500 },
    counts: { test: 1, standard: 20, full: 100 },
    inject: killed,
  },
  {
    id: 'P3',
    fault: 'SIGHUP; the file is written anew with the same content, and then with a bad one',
    expected: 'Nothing is touched. The bad file is told with line and column, the last good one goes on.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: reloaded,
  },
  {
    id: 'P5',
    fault: 'the main thread of the daemon is busy for ten seconds',
    expected: 'Packets are carried by another thread. The service manager gets no sign of life meanwhile.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 1, full: 5 },
    remark: 'the unit that is shipped has the daemon restarted after 30 s without a sign of life.',
    inject: stalled,
  },
  {
    id: 'P7',
    fault: 'the daemon is frozen (SIGSTOP), the world changes, and it goes on',
    expected:
      'It looks before it writes: what somebody has put in the place of ours meanwhile stays, and a new peer is known.',
    bar: { healedMs: 2_000 },
    counts: { test: 1, standard: 1, full: 3 },
    inject: frozen,
  },
  {
    id: 'P8',
    fault: 'a second daemon is started with the same file',
    expected: 'It exits with 75 and names the process of the first.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: doubled,
  },
  {
    id: 'P9',
    fault: 'a second daemon is started on the same hosts for another network, and taken away again',
    expected: 'Each has its own names, table, port, files and keys; the first does not notice the second.',
    bar: { lost: 0 },
    counts: { test: 1, standard: 3, full: 10 },
    inject: besideAnother,
  },
];

async function terminated({ first }: Scene) {
  const world = await worldOf(first.host);
  const start = performance.now();
  first.daemon.signal('SIGTERM');
  assert.equal(await first.daemon.exited, 0);
  const healedMs = performance.now() - start;
  assert.deepEqual(worldDifference(world, await worldOf(first.host)), []);
  await first.restart();
  return { healedMs };
}

async function killed({ first, cluster, probe }: Scene) {
  const [before] = await leasesOf(cluster, first.member.address);
  first.daemon.signal('SIGKILL');
  await first.daemon.exited;
  const restarted = first.restart();
  await probe.since(probe.mark(), HEALED_MS);
  await restarted;
  await first.settle();
  assert.deepEqual(await leasesOf(cluster, first.member.address), [before]);
  return {};
}

async function reloaded({ first }: Scene) {
  const { daemon, host, member } = first;
  const world = await worldOf(host);
  const lines = daemon.lines.length;
  daemon.signal('SIGHUP');
  await host.writeFile(member.configPath, `${CONFIG}\n`);
  await host.writeFile('/run/bad.yaml', CONFIG.replace('4.0.0.0/16', '4.0.0.0/99'));
  await first.shell.run(`mv /run/bad.yaml ${member.configPath}`);
  await first.until(
    'the mistake is told',
    0,
    async () =>
      assert.match((await first.status()).config.error ?? 'none', /flannelette\.yaml:1:\d+: network\.cidr/),
    ASK_EVERY_MS,
  );
  assert.equal((await first.status()).ready, true);
  await host.writeFile(member.configPath, CONFIG);
  await first.until(
    'all is well',
    0,
    async () => assert.equal((await first.status()).config.error, undefined),
    ASK_EVERY_MS,
  );
  assert.deepEqual(worldDifference(world, await worldOf(host)), []);
  assert.deepEqual(
    daemon.lines.slice(lines).filter((line) => line.includes('"msg":"changed"')),
    [],
  );
  return { times: 3 };
}

async function stalled({ first, probe }: Scene, size: Size) {
  const stallMs = STALL_MS[size];
  const socket = NotifySocket.open();
  try {
    first.daemon.signal('SIGTERM');
    await first.daemon.exited;
    await first.restart({
      environment: {
        NODE_OPTIONS: `--import=${new URL('../../lab/stall-on-signal.js', import.meta.url).href}`,
        STALL_MS: String(stallMs),
        NOTIFY_SOCKET: socket.name,
        WATCHDOG_USEC: '1000000',
      },
    });
    await first.settle();
    // The restart cost packets; the stall must not.
    await probe.since(probe.mark(), HEALED_MS);
    const mark = probe.mark();
    first.daemon.signal('SIGUSR2');
    await sleep(stallMs / 4);
    const signs = socket.lines().length;
    await sleep(stallMs / 2);
    assert.equal(socket.lines().length, signs, 'a sign of life from a daemon that is stuck');
    const { lost } = await probe.since(mark, HEALED_MS);
    await socket.line(/^WATCHDOG=1$/, HEALED_MS, signs);
    await first.settle();
    return { lost };
  } finally {
    first.daemon.signal('SIGTERM');
    await first.daemon.exited;
    socket.close();
    await first.restart();
  }
}

async function frozen({ first, cluster }: Scene, size: Size) {
  const stranger = { key: '/coreos.com/network/subnets/4.0.250.0-24', publicIp: '10.8.65.250' };
  const [lease] = await leasesOf(cluster, first.member.address);
  const before = await first.picture();
  first.daemon.signal('SIGSTOP');
  await cluster.etcdctl('put', stranger.key, JSON.stringify({ PublicIP: stranger.publicIp }));
  await first.shell.run('ip route replace 4.0.0.0/16 dev eth0 proto static');
  await sleep(FREEZE_MS[size]);
  const start = performance.now();
  first.daemon.signal('SIGCONT');
  const knows = async (isThere: boolean) => {
    const { objects, peers } = await first.status();
    const state = objects.find(({ key }) => key.startsWith('route:'))?.state;
    assert.equal(state, isThere ? 'conflict' : 'in-sync');
    assert.equal(
      peers.some(({ publicIp }) => publicIp === stranger.publicIp),
      isThere,
    );
  };
  const healedMs = await first.until('it knows what has happened', start, () => knows(true), ASK_EVERY_MS);
  assert.match(await first.shell.run('ip route show 4.0.0.0/16'), /^4\.0\.0\.0\/16 dev eth0 proto static/);
  assert.deepEqual(await leasesOf(cluster, first.member.address), [lease]);
  await cluster.etcdctl('del', stranger.key);
  await first.shell.run('ip route delete 4.0.0.0/16 proto static');
  await first.until('all is as before', start, () => knows(false), ASK_EVERY_MS);
  assert.equal(await first.picture(), before);
  return { healedMs };
}

async function doubled({ first }: Scene) {
  const { code, stderr, stdout } = await first.member.command('run');
  assert.equal(code, EXIT_HELD, stderr);
  assert.match(stdout + stderr, new RegExp(`process ${first.daemon.pid} holds it`));
  return {};
}

const OTHER_CONFIG = `${CONFIG.replace('4.0.0.0/16', '5.0.0.0/16, backend: { type: udp, port: 8290 }').replace('endpoints', 'prefix: /other/network, endpoints')}
instance: { name: flannel1, routeProtocol: 78 }
files: { subnetEnv: /run/flannel/other.env }
docker: { mode: "off" }
`;

async function besideAnother({ first, second, cluster }: Scene) {
  const both = [first, second];
  const worlds = await Promise.all(both.map(({ host }) => worldOf(host)));
  const others = await Promise.all(
    both.map(async ({ member, host }) => {
      await host.writeFile('/run/other.yaml', OTHER_CONFIG);
      const other = member.another('/run/other.yaml');
      return { other, daemon: await other.run() };
    }),
  );
  const [subnet = ''] = (await second.status('flannel1')).network?.subnets ?? [];
  await first.until('the other network carries packets', 0, () =>
    first.host.output(['ping', '-n', '-c', '1', '-W', '1', subnet.replace('/24', '')]),
  );
  for (const [index, { host }] of both.entries()) {
    const lost = worldDifference(worlds[index] ?? '', await worldOf(host)).filter((line) =>
      line.startsWith('-'),
    );
    assert.deepEqual(lost, [], 'the first network misses something');
  }
  for (const { other, daemon } of others) {
    assert.equal(await daemon.stop(), 0);
    const { code, stderr } = await other.command('destroy', '--lease');
    assert.equal(code, 0, stderr);
  }
  for (const { host } of both) await host.script('rm -rf /run/other.yaml /var/lib/flannelette/flannel1');
  await cluster.etcdctl('del', '--prefix', '/other/network/');
  return {};
}
