import assert from 'node:assert/strict';
import test from 'node:test';
import { EXIT } from '../../../src/cli/exit-codes.js';
import { CONFIG_PATH, CommandWorld } from './command-world.js';

const NEVER = new AbortController().signal;
const PEER = 'subnets/4.0.32.0-24';

/** This host at 4.0.100.0/24, a peer, a reservation, and something that is no lease. */
async function world(): Promise<CommandWorld> {
  const world = new CommandWorld();
  const { store } = world.host;
  const lease = await store.grantLease(86_399, NEVER);
  await store.put(PEER, '{"PublicIP":"10.8.65.53","PublicIPv6":null}', lease);
  await store.put(
    'subnets/4.0.33.0-24',
    '{"PublicIP":"10.8.65.54","PublicIPv6":null,"BackendType":"vx\\u001blan"}',
  );
  await store.put('subnets/4.0.34.0-24', 'no lease');
  assert.equal((await world.run('apply')).exitCode, EXIT.done);
  return world;
}

test('leases lists who holds which subnet, for how long, and what is set aside', async () => {
  const { stdout, exitCode } = await (await world()).run('leases');
  assert.equal(exitCode, EXIT.done);
  const [head, ...rows] = stdout.trimEnd().split('\n');
  assert.equal(head, 'SUBNET        AT          BACKEND      LEFT');
  assert.deepEqual(rows.slice(0, 3), [
    '4.0.32.0/24   10.8.65.53  -            23h59m',
    '4.0.33.0/24   10.8.65.54  vx\\u001blan  reserved',
    '4.0.100.0/24  10.8.65.66  -            24h0m     this host',
  ]);
  assert.match(rows[3] ?? '', /^set aside: "subnets\/4\.0\.34\.0-24": /);
});

test('leases tells programs the seconds', async () => {
  const { stdout } = await (await world()).run('leases', '-o', 'json');
  const { leases } = JSON.parse(stdout);
  assert.deepEqual(leases[0], {
    subnets: ['4.0.32.0/24'],
    publicIps: ['10.8.65.53'],
    backend: '',
    isThisHost: false,
    secondsLeft: 86_399,
  });
  assert.ok(!('secondsLeft' in leases[1]), 'a reservation does not expire');
});

test('release gives back the subnet of another host, and its etcd lease with it', async () => {
  const there = await world();
  const outcome = await there.run('leases', 'release', '4.0.32.0/24', '-f', CONFIG_PATH);
  assert.deepEqual(outcome, {
    exitCode: EXIT.done,
    stdout: 'Released 4.0.32.0/24, which 10.8.65.53 held\n',
    stderr: '',
  });
  assert.equal(await there.host.store.valueOf(PEER), undefined);
});

test('release leaves a lease that was written anew meanwhile', async () => {
  const there = await world();
  const { store } = there.host;
  store.beforeWrite = async () => store.put(PEER, '{"PublicIP":"10.8.65.53","PublicIPv6":null}');
  const { exitCode, stderr } = await there.run('leases', 'release', '4.0.32.0/24');
  assert.equal(exitCode, EXIT.failed);
  assert.match(stderr, /^Cannot release 4.0.32.0\/24: it was written anew meanwhile/);
  assert.ok(await store.valueOf(PEER));
});

test("release refuses this host's own subnet and one that nobody holds", async () => {
  const there = await world();
  const own = await there.run('leases', 'release', '4.0.100.0/24');
  assert.equal(own.exitCode, EXIT.failed);
  assert.match(own.stderr, /use `flannelette destroy --lease`/);
  const nobody = await there.run('leases', 'release', '4.0.99.0/24');
  assert.match(nobody.stderr, /nobody holds it/);
  assert.ok(await there.host.store.valueOf('subnets/4.0.100.0-24'));
});

test("release knows this host's own also while no network is published", async () => {
  const there = new CommandWorld('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n');
  await there.host.store.put('subnets/4.0.100.0-24', '{"PublicIP":"10.8.65.66","PublicIPv6":null}');
  const { stderr } = await there.run('leases', 'release', '4.0.100.0/24');
  assert.match(stderr, /it is this host's own/);
  assert.ok(await there.host.store.valueOf('subnets/4.0.100.0-24'));
});

test('release spares the other keys of an etcd lease', async () => {
  const there = await world();
  const { store } = there.host;
  const lease = await store.grantLease(86_399, NEVER);
  const hosts = { 'subnets/4.0.35.0-24': '10.8.65.55', 'subnets/4.0.36.0-24': '10.8.65.56' };
  for (const [key, ip] of Object.entries(hosts))
    await store.put(key, `{"PublicIP":"${ip}","PublicIPv6":null}`, lease);
  assert.equal((await there.run('leases', 'release', '4.0.35.0/24')).exitCode, EXIT.done);
  assert.equal(await store.valueOf('subnets/4.0.35.0-24'), undefined);
  assert.ok(await store.valueOf('subnets/4.0.36.0-24'));
});

test('a list of peers in the file has no leases', async () => {
  const config = 'network: { cidr: 4.0.0.0/16 }\nhost: { subnet: 4.0.1.0/24 }\nstore: { static: {} }\n';
  const { exitCode, stderr } = await new CommandWorld(config).run('leases');
  assert.equal(exitCode, EXIT.failed);
  assert.match(stderr, /store\.static\.peers/);
});
