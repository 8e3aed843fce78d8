import assert from 'node:assert/strict';
import test from 'node:test';
import type { DoctorDocument } from '../../../src/cli/render-doctor.js';
import { PrivilegeError } from '../../../src/ports.js';
import { CONFIG, CommandWorld } from './command-world.js';

/** A host that is well, but for what the programs are not there to tell. */
async function wellWorld(): Promise<CommandWorld> {
  const world = new CommandWorld();
  world.host.commands.outputs.set('ip -json', '[]');
  world.host.commands.outputs.set('nft --json', '{"nftables":[]}');
  world.answer = async () => ({ status: 200, body: '{"pid":7}' });
  assert.equal((await world.host.flannelette('apply', '-f', '/etc/flannelette.yaml')).exitCode, 0);
  return world;
}

function stopForwarding({ host: { kernel } }: CommandWorld): void {
  kernel.setSysctl({ name: 'net.ipv4.ip_forward', value: '0' });
}

test('on a host that is well doctor ends with 0', async () => {
  const world = await wellWorld();
  const before = world.host.writes;
  const { exitCode, stdout, stderr } = await world.run('doctor');
  assert.deepEqual([exitCode, stdout, stderr], [0, 'Nothing is wrong, as far as can be seen\n', '']);
  assert.equal(world.host.writes, before);
});

test('a finding says what, what it does, what mends it, and where more is written', async () => {
  const world = await wellWorld();
  stopForwarding(world);
  const { exitCode, stdout } = await world.run('doctor');
  assert.equal(exitCode, 1);
  assert.equal(
    stdout,
    `error   ForwardingOff: net.ipv4.ip_forward is 0, must be 1
  impact  the kernel drops what comes from containers and what is for them
  remedy  sysctl -w net.ipv4.ip_forward=1
  about   docs/doctor.md#forwardingoff

1 error, 0 warnings
`,
  );
});

test('--fix carries out what is safe, and nothing else', async () => {
  const world = await wellWorld();
  stopForwarding(world);
  world.answer = async () => undefined;
  world.host.commands.log.length = 0;
  const { exitCode, stdout } = await world.run('doctor', '--fix', '-o', 'json');
  const { fixed, findings } = JSON.parse(stdout) as DoctorDocument;
  assert.deepEqual(fixed, [{ code: 'ForwardingOff', run: 'sysctl -w net.ipv4.ip_forward=1' }]);
  const shells = world.host.commands.log.filter((line) => line.startsWith('sh -c '));
  assert.deepEqual(shells, ['sh -c sysctl -w net.ipv4.ip_forward=1 ""']);
  // Nothing came of it here, and it is said again.
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['ForwardingOff', 'NotAsWanted', 'DaemonNotRunning'],
  );
  assert.equal(exitCode, 1);
});

test('what --fix could not do is said with the reason', async () => {
  const world = await wellWorld();
  stopForwarding(world);
  world.host.commands.failing = 'sysctl -w';
  const { stdout } = await world.run('doctor', '--fix');
  assert.match(stdout, /^not fixed ForwardingOff: sysctl -w net\.ipv4\.ip_forward=1: it broke$/m);
});

test('what cannot be seen is named, and the rest is looked at all the same', async () => {
  const world = await wellWorld();
  world.host.commands.outputs.delete('ip -json');
  world.requirePrivileges = () => Promise.reject(new PrivilegeError('not root', 'CAP_NET_ADMIN'));
  const { stdout } = await world.run('doctor');
  assert.match(stdout, /^error {3}NoNetAdmin: not root$/m);
  assert.match(stdout, /^ {2}remedy {2}sudo flannelette doctor -f \/etc\/flannelette\.yaml$/m);
  assert.match(stdout, /^not seen: links and routes: /m);
});

test('without etcd the network cannot be told, but what is wrong with it can', async () => {
  const world = new CommandWorld(CONFIG);
  world.host.store.goDown();
  const { exitCode, stdout } = await world.run('doctor');
  assert.equal(exitCode, 1);
  assert.match(stdout, /^error {3}EtcdUnavailable: /m);
  assert.match(stdout, /^ {2}remedy {2}systemctl start etcd {2}# on 10\.8\.64\.10$/m);
});

test('that the way to etcd is down at this end is said beside', async () => {
  const world = new CommandWorld(CONFIG);
  world.host.commands.outputs.set('ip -json', '[]');
  world.host.store.goDown();
  world.host.kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
  const { stdout } = await world.run('doctor');
  assert.match(stdout, /^error {3}EtcdUnavailable: /m);
  assert.match(
    stdout,
    /^error {3}InterfaceUnusable: .*no default route.*\n.*\n {2}remedy {2}ip link set dev eth0 up$/m,
  );
});
