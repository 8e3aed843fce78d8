/** What a daemon finds when it starts: what another one has left, or a host that lacks something. */
import assert from 'node:assert/strict';
import { worldDifference, worldOf } from '../../lab/host-world.js';
import { flannelette } from '../../lab/repository.js';
import { storeOf } from '../../lab/store-content.js';
import type { Row } from '../row.js';
import { CONFIG, type Scene } from '../scene.js';

const EXIT_PRIVILEGE = 77;

export const START_ROWS: readonly Row[] = [
  {
    id: 'K14',
    fault: 'an earlier daemon was killed and has left another MTU, address, route and device',
    expected:
      'What is as wanted is adopted, the rest is put right, what bears our mark and is of no use goes. What is foreign stays. The time is from the start.',
    bar: { healedMs: 5_000 },
    counts: { test: 1, standard: 10, full: 50 },
    inject: leftovers,
  },
  {
    id: 'K15',
    fault: '`/dev/net/tun` or a privilege is missing',
    expected: 'It exits with 77 and says what is missing, before it has asked etcd for anything.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: notAllowed,
  },
];

async function leftovers({ first }: Scene) {
  const { shell, host } = first;
  const wanted = await first.picture();
  const world = await worldOf(host);
  first.daemon.signal('SIGKILL');
  await first.daemon.exited;
  await shell.run(`
alias=$(cat /sys/class/net/flannel0/ifalias 2>/dev/null || ip -details link show flannel0 | sed -n 's/^ *alias //p')
ip tuntap add flannel9 mode tun
ip link set flannel9 alias "$alias"
ip link set flannel0 mtu 1300
ip address add 4.0.99.0/32 dev flannel0
ip route add 4.0.98.0/24 dev flannel0 proto 77
ip route add 198.51.100.0/24 dev eth0 proto static`);
  const start = performance.now();
  await first.restart();
  const healedMs = await first.until('all is as wanted', start, async () =>
    assert.deepEqual(worldDifference(wanted, await first.picture()), []),
  );
  assert.match(await shell.run('ip route show 198.51.100.0/24'), /proto static/);
  await shell.run('ip route delete 198.51.100.0/24');
  assert.deepEqual(worldDifference(world, await worldOf(host)), []);
  return { healedMs };
}

/** A second instance: the first one runs on. Its prefix in etcd would show a key, a grant its list of leases. */
const OTHER_CONFIG = `${CONFIG.replace('4.0.0.0/16', '5.0.0.0/16, backend: { type: udp, port: 8290 }').replace('endpoints', 'prefix: /other/network, endpoints')}
instance: { name: flannel1, routeProtocol: 78 }
docker: { mode: "off" }
`;

const LACKS = [
  {
    how: ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /dev/net; exec "$@"', 'sh'],
    what: /\/dev\/net\/tun/,
  },
  { how: ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'], what: /CAP_NET_ADMIN/ },
] as const;

async function notAllowed({ first, cluster }: Scene) {
  const before = await storeOf(cluster);
  await first.host.writeFile('/run/other.yaml', OTHER_CONFIG);
  const times: number[] = [];
  for (const { how, what } of LACKS) {
    const start = performance.now();
    const { code, stderr } = await first.host.run([...how, ...flannelette('run', '-f', '/run/other.yaml')]);
    times.push(performance.now() - start);
    assert.equal(code, EXIT_PRIVILEGE, stderr);
    assert.match(stderr, what);
  }
  await first.shell.run('rm /run/other.yaml');
  assert.deepEqual(await storeOf(cluster), before);
  return { healedMs: Math.max(...times), times: LACKS.length };
}
