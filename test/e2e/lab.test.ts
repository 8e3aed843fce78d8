/** The lab itself: what the other end-to-end tests stand on. */
import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { DockerBridge, parseDockerOptions } from '../lab/docker-bridge.js';
import { eventually } from '../lab/eventually.js';
import { LongProcess } from '../lab/process.js';
import { onUnderlay, Underlay } from '../lab/underlay.js';

const PING = ['ping', '-c', '1', '-w', '5'];

test('two hosts reach each other over the underlay, and neither sees the machine', async () => {
  await onUnderlay(async (underlay) => {
    const one = await underlay.addHost('one', '10.8.65.66');
    await underlay.addHost('two', '10.8.65.53');
    assert.match(await one.output([...PING, '10.8.65.53']), / 0% packet loss/);
    assert.equal(await one.output(['hostname']), 'one\n');
    const links = JSON.parse(await one.output(['ip', '-json', 'link'])) as { ifname: string }[];
    assert.deepEqual(
      links.map((link) => link.ifname),
      ['lo', 'eth0'],
    );
    assert.match(await one.output(['ip', 'route']), /^default via 10\.8\.0\.1 dev eth0/m);
  });
});

test("a host's /run is private, and can be read and written from outside", async () => {
  await onUnderlay(async (underlay) => {
    const one = await underlay.addHost('one', '10.8.65.66');
    const two = await underlay.addHost('two', '10.8.65.53');
    await one.writeFile('/run/flannel/subnet.env', 'FLANNEL_MTU=1472\n');
    assert.equal(await one.output(['cat', '/run/flannel/subnet.env']), 'FLANNEL_MTU=1472\n');
    await two.script('mkdir /run/flannel && echo other >/run/flannel/subnet.env');
    assert.equal(await two.readFile('/run/flannel/subnet.env'), 'other\n');
    assert.equal(await one.readFile('/run/flannel/subnet.env'), 'FLANNEL_MTU=1472\n');
  });
});

test('containers of one host reach each other over docker0, and the underlay masqueraded', async () => {
  await onUnderlay(async (underlay) => {
    const host = await underlay.addHost('one', '10.8.65.66');
    const options = parseDockerOptions(
      'DOCKER_NETWORK_OPTIONS=" --bip=4.0.100.1/24 --ip-masq=true --mtu=1472"\n',
    );
    assert.deepEqual(options, { bip: '4.0.100.1/24', ipMasq: true, mtu: 1472 });
    const docker = await DockerBridge.start(host, options);
    const a = await docker.addContainer('a', 3);
    const b = await docker.addContainer('b', 5);
    assert.equal(b.address, '4.0.100.5');
    assert.match(await a.output([...PING, b.address]), / 0% packet loss/);
    assert.match(await a.output([...PING, '10.8.0.1']), / 0% packet loss/);
    assert.match(await a.output(['ip', 'link', 'show', 'eth0']), /mtu 1472/);
  });
});

test('closing ends every process and every namespace, the stopped ones too', async () => {
  const underlay = await Underlay.start();
  const host = await underlay.addHost('one', '10.8.65.66');
  const docker = await DockerBridge.start(host, { bip: '4.0.100.1/24', ipMasq: false, mtu: 1472 });
  const container = await docker.addContainer('a', 3);
  const running = [host.spawn(['sleep', '1000']), container.spawn(['sleep', '1000'])];
  running[0]?.signal('SIGSTOP');
  const pids = [underlay.pid, host.pid, container.pid, ...running.map((process) => process.pid)];
  const networks = [underlay, host, container].map((holder) => readlinkSync(`/proc/${holder.pid}/ns/net`));
  assert.equal(new Set(networks).size, 3);
  await underlay.close();
  for (const pid of pids) assert.ok(!existsSync(`/proc/${pid}`), `process ${pid} is still there`);
  await underlay.close();
});

test('an error in the body takes everything down and comes out unchanged', async () => {
  let pid = 0;
  const body = onUnderlay(async (underlay) => {
    pid = (await underlay.addHost('one', '10.8.65.66')).spawn(['sleep', '1000']).pid;
    throw new Error('as expected');
  });
  await assert.rejects(body, /^Error: as expected$/);
  assert.ok(!existsSync(`/proc/${pid}`));
});

test('a process that left its parent is ended, and reported', async () => {
  const underlay = await Underlay.start();
  const host = await underlay.addHost('one', '10.8.65.66');
  const pid = Number(await host.script('setsid sleep 1000 >/dev/null 2>&1 & echo $!'));
  await assert.rejects(underlay.close(), new RegExp(`Processes were left in a namespace: ${pid}`));
  await eventually('the stray is gone', 5000, () => assert.ok(!existsSync(`/proc/${pid}`)));
});

test('nothing outlives a test process that is killed', async () => {
  const module = fileURLToPath(new URL('../lab/underlay.js', import.meta.url));
  const doomed = new LongProcess([
    process.execPath,
    '--input-type=module',
    '--eval',
    `const { Underlay } = await import(${JSON.stringify(module)});
     const underlay = await Underlay.start();
     const host = await underlay.addHost('one', '10.8.65.66');
     console.log('pids', underlay.pid, host.pid, host.spawn(['sleep', '1000']).pid);`,
  ]);
  const line = await doomed.waitForLine(/^pids/, 10_000);
  const pids = line.split(' ').slice(1).map(Number);
  assert.equal(pids.length, 3);
  doomed.signal('SIGKILL');
  await eventually('all its processes are gone', 5000, () => {
    assert.deepEqual(
      pids.filter((pid) => existsSync(`/proc/${pid}`)),
      [],
    );
  });
});

test('a program that is late or disappoints is quoted in the error', async () => {
  await onUnderlay(async (underlay) => {
    await assert.rejects(
      underlay.run(['sh', '-c', 'echo almost; exec sleep 1000'], { timeoutMs: 200 }),
      /not done after 200 ms\nalmost$/,
    );
    await assert.rejects(
      underlay.output(['sh', '-c', 'echo oops >&2; exit 3']),
      /exited with 3, must be 0\noops$/,
    );
    assert.deepEqual(await underlay.run(['sh', '-c', 'cat; exit 4'], { input: 'in' }), {
      code: 4,
      stdout: 'in',
      stderr: '',
    });
    const brief = underlay.spawn(['sh', '-c', 'echo one; echo two; printf three']);
    assert.equal(await brief.waitForLine(/^tw/, 5000), 'two');
    await assert.rejects(
      brief.waitForLine(/four/, 5000),
      /no line like .*it exited with 0\none\ntwo\nthree$/,
    );
    const mute = underlay.spawn(['sleep', '1000']);
    await assert.rejects(mute.waitForLine(/ready/, 100), /no line like .*100 ms are over/);
  });
});
