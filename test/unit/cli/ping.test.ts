import assert from 'node:assert/strict';
import test from 'node:test';
import type { PingDocument } from '../../../src/cli/commands/ping.js';
import { SystemError } from '../../../src/ports.js';
import { CommandWorld } from './command-world.js';

/** In the network, with another host at 10.8.65.53; which echoes stay without an answer is said by their address. */
async function pingWorld(silent: readonly string[] = []): Promise<CommandWorld> {
  const world = new CommandWorld();
  await world.host.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53"}');
  assert.equal((await world.run('apply')).exitCode, 0);
  const { commands } = world.host;
  const run = commands.run;
  commands.run = async (argv, ...rest) =>
    silent.some((address) => argv.at(-1) === address)
      ? { code: 1, stdout: '', stderr: '' }
      : run(argv, ...rest);
  return world;
}

async function layersOf(world: CommandWorld, host: string): Promise<readonly string[]> {
  const { exitCode, stdout } = await world.run('ping', host, '-o', 'json');
  const { layers, firstToFail } = JSON.parse(stdout) as PingDocument;
  assert.equal(exitCode, firstToFail === undefined ? 0 : 1);
  return layers.map(({ layer, outcome }) => `${layer} ${outcome}`);
}

const ALL = ['store passed', 'underlay passed', 'overlay passed', 'container passed'];

for (const host of ['10.8.65.53', '4.0.32.0/24', '4.0.32.7']) {
  test(`a host is found by ${host}`, async () =>
    assert.deepEqual(await layersOf(await pingWorld(), host), ALL));
}

// The first two are made of hexadecimal digits.
for (const name of ['cafe', 'ada.be', 'host2']) {
  test(`a host is found by its name ${name}`, async () => {
    const world = await pingWorld();
    world.names = { [name]: '10.8.65.53' };
    assert.deepEqual(await layersOf(world, name), ALL);
  });
}

test('each layer says what it saw, and the last line what came of it', async () => {
  const world = await pingWorld();
  const { stdout } = await world.run('ping', '10.8.65.53');
  assert.deepEqual(world.progress.slice(-2), [
    'began: Looking for 10.8.65.53',
    'ended: Looking for 10.8.65.53',
  ]);
  assert.equal(
    stdout,
    `LAYER      OUTCOME  DETAIL
store      passed   10.8.65.53 leases 4.0.32.0/24
underlay   passed   10.8.65.53 by eth0 answers, and does not refuse UDP port 8285
overlay    passed   4.0.32.0 by flannel0 answers
container  passed   4.0.32.1 by flannel0 answers

10.8.65.53 is reached
`,
  );
});

test('an address that nobody leases fails in the store', async () => {
  const world = await pingWorld();
  const { stdout } = await world.run('ping', '10.8.65.99');
  assert.match(stdout, /^store +failed +nobody leases 10\.8\.65\.99: see `flannelette leases`$/m);
  assert.match(stdout, /^10\.8\.65\.99 is not reached: the store fails first$/m);
});

test('so does a name that nobody knows, this host itself, and any host while etcd is away', async () => {
  const world = await pingWorld();
  assert.match(
    (await world.run('ping', 'nobody')).stdout,
    /^store +failed +nobody is no address, no subnet/m,
  );
  assert.match(
    (await world.run('ping', '10.8.65.66')).stdout,
    /^store +failed +10\.8\.65\.66 is this host itself$/m,
  );
  world.host.store.goDown();
  assert.match((await world.run('ping', '10.8.65.53')).stdout, /^store +failed +Cannot use fake store/m);
});

test('a port that is refused fails in the underlay, and nothing above it is tried', async () => {
  const world = await pingWorld();
  world.knock = async () => 'refused';
  assert.deepEqual(await layersOf(world, '10.8.65.53'), [
    ...['store passed', 'underlay failed', 'overlay skipped', 'container skipped'],
  ]);
  world.knock = async () => 'unreachable';
  assert.equal((await layersOf(world, '10.8.65.53'))[1], 'underlay failed');
});

test('so does one that this host lets nothing out to, with the reason', async () => {
  const world = await pingWorld();
  world.knock = async () => {
    throw new SystemError('Cannot send to UDP port 8285 of 10.8.65.53: send EPERM', 'EPERM');
  };
  const { stdout } = await world.run('ping', '10.8.65.53');
  assert.match(stdout, /^underlay +failed +10\.8\.65\.53 by eth0: Cannot send to UDP .*: send EPERM$/m);
});

test('a host that keeps its echoes back may be reached all the same', async () => {
  assert.deepEqual(await layersOf(await pingWorld(['10.8.65.53']), '10.8.65.53'), [
    ...['store passed', 'underlay unknown', 'overlay passed', 'container passed'],
  ]);
});

test('what the underlay carries and the overlay does not fails in the overlay', async () => {
  const world = await pingWorld(['4.0.32.0']);
  const { stdout } = await world.run('ping', '10.8.65.53');
  assert.match(
    stdout,
    /^overlay +failed +4\.0\.32\.0 by flannel0 does not answer: .*`flannelette doctor` on both hosts$/m,
  );
});

test('the container that was asked for fails alone', async () => {
  assert.deepEqual(await layersOf(await pingWorld(['4.0.32.7']), '4.0.32.7'), [
    ...['store passed', 'underlay passed', 'overlay passed', 'container failed'],
  ]);
});

test('a backend that wraps nothing has no overlay', async () => {
  const world = new CommandWorld(
    'network: { cidr: 4.0.0.0/16, backend: { type: host-gw } }\nhost: { subnet: 4.0.100.0/24 }\n',
  );
  await world.host.store.put('subnets/4.0.32.0-24', '{"PublicIP":"10.8.65.53","BackendType":"host-gw"}');
  assert.equal((await world.run('apply')).exitCode, 0);
  assert.deepEqual(await layersOf(world, '10.8.65.53'), [
    ...['store passed', 'underlay passed', 'overlay skipped', 'container passed'],
  ]);
});
