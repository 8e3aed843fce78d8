import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import type { Explanation } from '../../../src/model/explanation.js';
import { withDaemon } from '../../fakes/daemon-world.js';
import { CONFIG, CONFIG_PATH, CommandWorld } from './command-world.js';

const EXPLAINED: Explanation = {
  key: 'route:4.0.0.0/16',
  kind: 'route',
  origin: { config: { key: 'network.cidr' }, rule: 'backend udp: one route for the whole network' },
  wanted: { link: 'flannel0' },
  requires: ['link:flannel0'],
  found: { state: { link: 'eth0' }, ours: false },
  status: {
    state: 'conflict',
    reason: 'not ours: dev eth0',
    since: '2026-11-22T16:00:00.000Z',
    nextTryAt: '2026-11-22T16:00:30.000Z',
  },
  lastChange: { at: '2026-11-22T15:00:00.000Z', verb: 'create', reason: 'missing', outcome: 'done' },
};

test('a daemon tells what it knows, and the file on which line it stands', async () => {
  const world = new CommandWorld();
  world.answer = async () => ({ status: 200, body: JSON.stringify(EXPLAINED) });
  const { exitCode, stdout } = await world.run('explain', 'route:4.0.0.0/16');
  assert.equal(exitCode, EXIT.done);
  assert.deepEqual(world.asked, [{ method: 'GET', path: '/explain?key=route%3A4.0.0.0%2F16' }]);
  assert.equal(
    stdout,
    `route:4.0.0.0/16
  state     conflict since 2026-11-22T16:00:00.000Z: not ours: dev eth0
  because   backend udp: one route for the whole network
  file      ${CONFIG_PATH}:2, network.cidr
  needs     link:flannel0
  wanted    {"link":"flannel0"}
  found     {"link":"eth0"}, not ours
  next try  2026-11-22T16:00:30.000Z
  changed   2026-11-22T15:00:00.000Z: create (missing): done
`,
  );
});

test('without a daemon it looks itself: a route to another host follows from its lease', async () => {
  const world = new CommandWorld(CONFIG.replace('subnetLength: 24', 'backend: { type: host-gw }'));
  await world.host.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53","BackendType":"host-gw"}');
  const before = world.host.writes;
  const { exitCode, stdout, stderr } = await world.run('explain', 'route:4.0.32.0/24');
  assert.equal(exitCode, EXIT.done, stderr);
  assert.match(stdout, /^ {2}state {5}wanted, not there$/m);
  assert.match(stdout, /^ {2}because {3}backend host-gw: a route for each other host$/m);
  assert.match(stdout, /^ {2}store {5}subnets\/4\.0\.32\.0-24 at revision \d+$/m);
  assert.match(stdout, /^ {2}found {5}not there$/m);
  assert.equal(world.host.writes, before);
});

test('without a daemon what only a daemon makes is explained too', async () => {
  const world = new CommandWorld();
  await world.host.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53"}');
  const peer = (await world.run('explain', 'peer:4.0.32.0/24')).stdout;
  assert.match(peer, /^ {2}state {5}not there: the daemon has it in its packet loop, and none runs$/m);
  assert.match(peer, /^ {2}because {3}a row of the packet loop for each other host$/m);
  assert.match(peer, /^ {2}store {5}subnets\/4\.0\.32\.0-24 at revision \d+$/m);
  assert.match(peer, /^ {2}wanted {4}\{"subnet":"4\.0\.32\.0\/24","publicIp":"10\.8\.65\.53"/m);
  const forwarder = (await world.run('explain', 'forwarder:flannel0')).stdout;
  assert.match(forwarder, /^ {2}because {3}backend udp: its packets are carried by the packet loop$/m);
  assert.match(forwarder, /^ {2}file {6}default of network\.backend$/m);
});

test('through a daemon the lease is told with its revision, and the line of the file', async () => {
  await withDaemon(async (daemon) => {
    await daemon.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53"}');
    await daemon.clock.advance(1_000);
    const world = new CommandWorld();
    world.answer = async ({ path }) => {
      const name = new URLSearchParams(path.split('?')[1]).get('key') ?? '';
      return { status: 200, body: JSON.stringify(await daemon.explain(name, new AbortController().signal)) };
    };
    const peer = (await world.run('explain', 'peer:4.0.32.0/24')).stdout;
    assert.match(peer, /^ {2}store {5}subnets\/4\.0\.32\.0-24 at revision \d+$/m);
    assert.match(peer, /^ {2}state {5}in-sync since /m);
    const lease = (await world.run('explain', 'lease:4.0.100.0-24')).stdout;
    assert.match(lease, new RegExp(`^ {2}file {6}${CONFIG_PATH}:3, host\\.subnet$`, 'm'));
    assert.match(lease, /^ {2}store {5}subnets\/4\.0\.100\.0-24 at revision \d+$/m);
    const route = (await world.run('explain', 'route:4.0.0.0/16')).stdout;
    assert.match(route, new RegExp(`^ {2}file {6}${CONFIG_PATH}:2, network\\.cidr$`, 'm'));
  });
});

test('what is there and not wanted follows from nothing', async () => {
  const world = new CommandWorld();
  await world.run('apply');
  world.host.files.edit(CONFIG_PATH, CONFIG.replace('4.0.100.0/24', '4.0.101.0/24'));
  const { stdout } = await world.run('explain', 'address:flannel0 4.0.100.0/32');
  assert.match(stdout, /^ {2}state {5}there, not wanted\n {2}because {3}nothing asks for it$/m);
});

for (const reply of [undefined, { status: 404, body: 'There is no object' }]) {
  test(`an object that there is not is wrong usage, ${reply ? 'with' : 'without'} a daemon`, async () => {
    const world = new CommandWorld();
    world.answer = async () => reply;
    const { exitCode, stderr } = await world.run('explain', 'route:9.9.9.9/32');
    assert.equal(exitCode, EXIT.usage);
    assert.match(stderr, /^Cannot explain "route:9\.9\.9\.9\/32": there is no such object, wanted or found/);
  });
}
