/** The extension backend on a whole host of fakes: what is run, when, and what becomes of a command that fails. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { CONFIG_PATH, FakeHost } from '../fakes/fake-host.js';

const CONFIG = `
network:
  cidr: 4.0.0.0/16
  backend:
    type: extension
    preStartupCommand: [overlay, key]
    postStartupCommand: overlay up $SUBNET \${NETWORK} $HOME
    subnetAddCommand: [overlay, add]
    subnetRemoveCommand: [overlay, remove]
    shutdownCommand: [overlay, down]
host: { subnet: 4.0.100.0/24 }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;
const PEER = 'subnets/4.0.32.0-24';
const OWN = 'subnets/4.0.100.0-24';

async function host(config = CONFIG): Promise<FakeHost> {
  const made = new FakeHost();
  made.files.edit(CONFIG_PATH, config);
  made.commands.outputs.set('overlay key', 'AbC=\n');
  await made.store.put(PEER, '{"PublicIP":"10.8.65.53","BackendType":"extension","BackendData":"XyZ="}', '0');
  return made;
}

async function apply(on: FakeHost, exitCode = 0): Promise<string> {
  const result = await on.flannelette('apply', '-f', CONFIG_PATH);
  assert.equal(result.exitCode, exitCode, result.stderr);
  return result.stdout + result.stderr;
}

async function stored(on: FakeHost, key: string): Promise<string | undefined> {
  return (await on.lines()).find((line) => line.startsWith(`store ${key} `));
}

test('commands run in flannel’s order, with its variables and its input, and once', async () => {
  const on = await host();
  const { stdout } = await on.flannelette('diff', '-f', CONFIG_PATH);
  assert.match(stdout, /\+ command:pre-startup +not run yet \(overlay key\)/);
  assert.deepEqual(on.commands.log, [], 'diff runs nothing');
  await apply(on);
  assert.deepEqual(on.commands.log, [
    'overlay key "\\n"',
    'NETWORK=4.0.0.0/16 SUBNET=4.0.100.0/24 PUBLIC_IP=10.8.65.66 overlay up 4.0.100.0/24 4.0.0.0/16 $HOME "\\n"',
    'SUBNET=4.0.32.0/24 PUBLIC_IP=10.8.65.53 overlay add "XyZ=\\n"',
  ]);
  assert.match((await stored(on, OWN)) ?? '', /"BackendType":"extension","BackendData":"AbC="/);
  await apply(on);
  assert.equal(on.commands.log.length, 3, 'what is in place is not run again');
});

test('a host that is gone is removed, one that changed is added anew, and destroy undoes all of it', async () => {
  const on = await host();
  await apply(on);
  on.commands.log.length = 0;
  await on.store.put(PEER, '{"PublicIP":"10.8.65.54","BackendType":"extension","BackendData":"XyZ="}', '0');
  await apply(on);
  await on.store.delete(PEER);
  await apply(on);
  const destroyed = await on.flannelette('destroy', '-f', CONFIG_PATH);
  assert.equal(destroyed.exitCode, 0, destroyed.stderr);
  assert.deepEqual(on.commands.log, [
    'SUBNET=4.0.32.0/24 PUBLIC_IP=10.8.65.54 overlay add "XyZ=\\n"',
    'SUBNET=4.0.32.0/24 PUBLIC_IP=10.8.65.54 overlay remove "XyZ=\\n"',
    'NETWORK=4.0.0.0/16 SUBNET=4.0.100.0/24 PUBLIC_IP=10.8.65.66 overlay down "\\n"',
  ]);
});

test('a command that fails says what it printed, and what the others did is undone', async () => {
  const on = await host(CONFIG.replace('[overlay, add]', 'overlay add $SUBNET'));
  await on.store.put('subnets/4.0.48.0-24', '{"PublicIP":"10.8.65.54","BackendType":"extension"}', '0');
  on.commands.failing = 'overlay add 4.0.32.0/24';
  assert.match(await apply(on, 3), /Cannot run "overlay add .*": exit code 1: it broke/);
  assert.ok(on.commands.log.some((line) => line.includes('overlay add 4.0.48.0/24')));
  assert.ok(
    on.commands.log.some((line) => line.includes('SUBNET=4.0.48.0/24') && line.includes('overlay remove')),
  );
  on.commands.failing = undefined;
  on.commands.log.length = 0;
  await apply(on);
  for (const subnet of ['4.0.32.0/24', '4.0.48.0/24'])
    assert.ok(on.commands.log.some((line) => line.includes(`overlay add ${subnet}`)));
});

test('no other host is added before this one has started', async () => {
  const on = await host();
  on.commands.failing = 'overlay up';
  await apply(on, 3);
  assert.ok(!on.commands.log.some((line) => line.includes('overlay add')));
});

test('before the first command nothing is leased', async () => {
  const on = await host();
  on.commands.failing = 'overlay key';
  await apply(on, 3);
  assert.equal(await stored(on, OWN), undefined);
});

test('a text is a shell’s where the operator says so', async () => {
  const byShell = CONFIG.replace(/overlay up .*/, 'echo $SUBNET | overlay up').replace(
    'type: extension',
    'type: extension\n    shell: true',
  );
  const on = await host(byShell);
  await apply(on);
  assert.match(on.commands.log.join('\n'), /\/bin\/sh -c echo \$SUBNET \| overlay up/);
});

test('commands that stand in the store alone are not run: who may write there would run them everywhere', async () => {
  const on = await host('store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }\n');
  const backend = { Type: 'extension', PostStartupCommand: 'overlay up' };
  await on.store.put('config', JSON.stringify({ Network: '4.0.0.0/16', Backend: backend }));
  assert.match(
    await apply(on, 2),
    /^Nothing was changed: Cannot run backend extension with commands out of/m,
  );
  assert.deepEqual(on.commands.log, []);
});

test('a host that publishes too much is left out', async () => {
  const on = await host();
  const BackendData = 'x'.repeat(4_097);
  await on.store.put(
    PEER,
    JSON.stringify({ PublicIP: '10.8.65.53', BackendType: 'extension', BackendData }),
    '0',
  );
  await apply(on);
  assert.ok(!on.commands.log.some((line) => line.includes('overlay add')));
});

test('what a command prints cannot steer the terminal', async () => {
  const on = await host();
  on.commands.failing = 'overlay key';
  on.commands.complaint = '\u001b[2Jit broke\n';
  assert.match(await apply(on, 3), /exit code 1: \\u001b\[2Jit broke/);
});
