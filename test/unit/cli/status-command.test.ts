import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from 'js-yaml';
import { EXIT } from '../../../src/cli/exit-codes.js';
import type { StatusReport } from '../../../src/model/status.js';
import { DAEMON_CONFIG, DaemonWorld } from '../../fakes/daemon-world.js';
import { CONFIG_PATH, CommandWorld } from './command-world.js';

/** What a daemon says that has just started, and what one says that is ready. */
const STARTING: StatusReport = new DaemonWorld(DAEMON_CONFIG).status();
const READY: StatusReport = {
  ...STARTING,
  ready: true,
  reason: '',
  sync: { ...STARTING.sync, state: 'in-sync', reason: '' },
  health: { ...STARTING.health, state: 'ready', reason: '' },
};

function answering(...reports: readonly StatusReport[]): CommandWorld {
  const world = new CommandWorld();
  let count = 0;
  world.answer = async () => {
    const report = reports[Math.min(count++, reports.length - 1)];
    return { status: 200, body: JSON.stringify(report) };
  };
  return world;
}

test('a daemon that is ready ends status with 0, any other with 1', async () => {
  const ready = await answering(READY).run('status');
  assert.deepEqual([ready.exitCode, ready.stderr], [EXIT.done, '']);
  assert.match(ready.stdout, /^flannel0: ready \(pid 42\)\n/);
  const starting = await answering(STARTING).run('status');
  assert.equal(starting.exitCode, EXIT.notReady);
  assert.match(starting.stdout, /^flannel0: not ready: the store has not been read yet /);
});

test('it asks for the status, touches nothing and needs no lock', async () => {
  const world = answering(READY);
  await world.run('status');
  assert.deepEqual(world.asked, [{ method: 'GET', path: '/status' }]);
  assert.deepEqual([world.log, world.host.writes], [[], 0]);
});

test('as JSON and YAML it is what the daemon said', async () => {
  assert.deepEqual(JSON.parse((await answering(READY).run('status', '-o', 'json')).stdout), READY);
  assert.deepEqual(load((await answering(READY).run('status', '-o', 'yaml')).stdout), READY);
});

test('without a daemon it ends with 1 and says how to start one', async () => {
  assert.deepEqual(await new CommandWorld().run('status'), {
    exitCode: EXIT.notReady,
    stdout: '',
    stderr: 'No daemon answers at /run/flannelette/flannel0.sock: start one with `flannelette run`\n',
  });
});

test('a daemon that says something else ends it with 2', async () => {
  const world = new CommandWorld();
  world.answer = async () => ({ status: 500, body: 'Error: broken\n' });
  assert.deepEqual(await world.run('status'), {
    exitCode: EXIT.failed,
    stdout: '',
    stderr: 'The daemon answered: Error: broken\n',
  });
});

test('a daemon that does not answer is given up after five seconds', async () => {
  const world = new CommandWorld();
  world.answer = () => new Promise(() => {});
  const { exitCode, stderr } = await world.run('status');
  assert.equal(exitCode, EXIT.failed);
  assert.match(stderr, /^Whoever listens at \S+ does not answer: is its process stopped\?$/m);
  assert.equal(world.clock.boottimeMs(), 5_000);
});

test('watching prints it again every second until it is interrupted', async () => {
  const world = answering(STARTING, READY);
  void world.clock.sleep(3_500, world.stop.signal).then(() => world.stop.abort());
  const { exitCode, stdout, stderr } = await world.run('status', '--watch');
  assert.deepEqual([exitCode, stderr], [EXIT.interrupted, 'Interrupted\n']);
  assert.deepEqual(
    stdout
      .split('\n')
      .filter((line) => line.startsWith('flannel0: '))
      .map((line) => /(not )?ready/.exec(line)?.[0]),
    ['not ready', 'ready', 'ready', 'ready'],
  );
});

test('watching ends with the daemon', async () => {
  const world = answering(READY);
  const { answer } = world;
  world.answer = async (request) => (world.asked.length > 2 ? undefined : answer(request));
  const { exitCode, stderr } = await world.run('status', '--watch');
  assert.equal(exitCode, EXIT.notReady);
  assert.match(stderr, /^No daemon answers at /);
});

test('a file that has become wrong does not hide what the daemon with this file does', async () => {
  const world = answering({ ...READY, config: { ...READY.config, path: CONFIG_PATH } });
  world.host.files.edit(CONFIG_PATH, 'network: { cidr: 4.0.0.1/16 }\n');
  assert.equal((await world.run('status')).exitCode, EXIT.done);
  const other = answering({ ...READY, config: { ...READY.config, path: '/etc/other.yaml' } });
  other.host.files.edit(CONFIG_PATH, 'network: { cidr: 4.0.0.1/16 }\n');
  assert.equal((await other.run('status')).exitCode, EXIT.invalidConfig);
});

test('brief is one line, with what is wrong', async () => {
  const { stdout, exitCode } = await answering(READY).run('status', '--brief');
  assert.deepEqual(
    [stdout, exitCode],
    ['flannel0: ready (pid 42); sync in-sync; health ready; 0 peers\n', EXIT.done],
  );
  const conditions = [{ type: 'EtcdUnavailable', message: 'connection refused', since: READY.startedAt }];
  const health = { ...READY.health, state: 'degraded' as const };
  const wrong = await answering({ ...READY, health, conditions }).run('status', '--brief');
  const want = 'flannel0: ready (pid 42); sync in-sync; health degraded; EtcdUnavailable; 0 peers\n';
  assert.equal(wrong.stdout, want);
});

test('peers is the table of the other hosts alone', async () => {
  const peer = {
    subnet: '4.0.32.0/24',
    publicIp: '10.8.65.53',
    sentPackets: 3,
    receivedPackets: 2,
    drops: 1,
  };
  const { stdout, exitCode } = await answering({ ...READY, peers: [peer] }).run('peers');
  assert.equal(exitCode, EXIT.done);
  assert.equal(
    stdout,
    `PEER         AT          SENT  RECEIVED  DROPPED  LAST HEARD
4.0.32.0/24  10.8.65.53  3     2         1        never
`,
  );
  assert.equal((await answering(READY).run('peers')).stdout, 'no peers\n');
  const json = await answering({ ...READY, peers: [peer] }).run('peers', '-o', 'json');
  assert.deepEqual(JSON.parse(json.stdout), { peers: [peer] });
});

test('on a terminal, what is watched stands in one place; a pipe gets one after the other', async () => {
  for (const isTerminal of [true, false]) {
    const world = answering(READY);
    world.isTerminal = isTerminal;
    void world.clock.sleep(1_500, world.stop.signal).then(() => world.stop.abort());
    const { stdout } = await world.run('status', '--watch', '--brief');
    const report = 'flannel0: ready (pid 42); sync in-sync; health ready; 0 peers\n';
    assert.equal(stdout, `${isTerminal ? '\x1b[H\x1b[J' : ''}${report}`.repeat(2));
  }
});
