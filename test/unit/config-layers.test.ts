/** Several texts as one file: which value counts, and where its mistake is. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { configErrorsText } from '../../src/cli/config-errors.js';
import type { ConfigPart } from '../../src/config/layers.js';
import { readConfigParts } from '../../src/config/read-config.js';
import { settingsPart } from '../../src/config/settings.js';
import type { Config } from '../../src/model/config.js';

const FLEET = {
  file: '10-fleet.yaml',
  text: 'network:\n  cidr: 4.0.0.0/16\n  mtu: 1400\nstore: { etcd: { endpoints: ["http://a:2379"] } }\n',
};

function read(parts: readonly ConfigPart[], environment = {}): Config {
  const result = readConfigParts(parts, environment);
  assert.ok('config' in result, JSON.stringify(result));
  return result.config;
}

function mistakes(parts: readonly ConfigPart[], environment = {}): readonly string[] {
  const result = readConfigParts(parts, environment);
  assert.ok('errors' in result);
  return result.errors.map(
    ({ file, line, column, path, message }) => `${file}:${line}:${column}: ${path}: ${message}`,
  );
}

test('sections are merged, values and lists are taken from the later file', () => {
  const host = {
    file: '50-host.yaml',
    text: 'host: { subnet: 4.0.100.0/24 }\nnetwork: { mtu: 1300 }\nstore: { etcd: { endpoints: ["http://b:2379"] } }\n',
  };
  const { network, host: section, store } = read([FLEET, host]);
  assert.equal(network.declared?.ipv4?.cidr, '4.0.0.0/16');
  assert.equal(network.mtu, 1300);
  assert.equal(section.subnets.ipv4, '4.0.100.0/24');
  assert.deepEqual(store.type === 'etcd' && store.endpoints, ['http://b:2379']);
});

test('an empty file and an empty section take nothing away', () => {
  const parts = [FLEET, { file: 'b', text: '# nothing yet\n' }, { file: 'c', text: 'network:\n' }];
  assert.equal(read(parts).network.mtu, 1400);
});

test('files that are all empty are one mistake', () => {
  assert.match(
    mistakes([
      { file: 'a', text: '' },
      { file: 'b', text: '' },
    ]).join(),
    /the file is empty/,
  );
});

test('a mistake is in the file whose value counts', () => {
  const host = { file: '50-host.yaml', text: '# mine\nnetwork:\n  mtu: 9\nhost: { subnet: 4.1.0.0/24 }\n' };
  assert.deepEqual(
    mistakes([FLEET, host]).map((line) => line.split(': ').slice(0, 2).join(' ')),
    ['50-host.yaml:3:8 network.mtu', '50-host.yaml:4:17 host.subnet'],
  );
});

test('a mistake in what an earlier file says is in that one', () => {
  const fleet = { file: '10-fleet.yaml', text: 'network: { cidr: 4.0.0.1/16 }\n' };
  assert.match(
    mistakes([fleet, { file: '50', text: 'network: { mtu: 1400 }\n' }]).join(),
    /^10-fleet\.yaml:1:18: network\.cidr: /,
  );
});

test('all that cannot be read is named, and each key that a file has twice', () => {
  assert.deepEqual(
    mistakes([
      { file: 'a', text: 'network: [\n' },
      { file: 'b', text: '\tx: 1\n' },
    ]).map((line) => line.slice(0, 4)),
    ['a:2:', 'b:1:'],
  );
  assert.match(
    mistakes([FLEET, { file: 'b', text: 'host: {}\nhost: {}\n' }]).join(),
    /^b:2:1: host: is written twice/,
  );
});

test('settings come over every file, in the words of YAML', () => {
  const set = settingsPart([
    'network.mtu=1350',
    'store.etcd.endpoints=[http://c:2379, http://d:2379]',
    'network.ipMasq=true',
  ]);
  const { network, store } = read([FLEET, ...set]);
  assert.deepEqual([network.mtu, network.ipMasq], [1350, true]);
  assert.deepEqual(store.type === 'etcd' && store.endpoints, ['http://c:2379', 'http://d:2379']);
});

for (const { setting, says } of [
  { setting: 'network.mtu=9', says: /^--set:2:13: network\.mtu: 9 is not allowed/ },
  { setting: 'network.mtv=1400', says: /^--set:2:1: network\.mtv: is not a key here/ },
  { setting: 'network.mtu', says: /^--set:2:1: : is no setting: must be key=value/ },
  { setting: 'network.mtu=', says: /^--set:2:1: : is no setting/ },
  { setting: 'store.etcd.endpoints=[http://a', says: /^--set:2:3\d: : not valid YAML/ },
]) {
  test(`the mistake of a setting has its number and its column: ${setting}`, () => {
    const set = settingsPart(['host.renumber=never', setting]);
    assert.match(mistakes([FLEET, ...set])[0] ?? '', says);
  });
}

test('a mistake in a setting is shown with a caret, and a secret in it is not', () => {
  const parts = [FLEET, ...settingsPart(['network.mtu=9', 'store.etcd.passwordFile=hunter2'])];
  const result = readConfigParts(parts, {});
  assert.ok('errors' in result);
  const shown = configErrorsText(
    result.errors,
    (name) => parts.find(({ file }) => file === name)?.text ?? '',
  );
  assert.match(shown, /^ {4}network\.mtu=9\n {16}\^$/m);
  assert.doesNotMatch(shown, /hunter2/);
});

const DECLARING = (text: string) => [{ file: 'f', text: `environment: [HOST_IP, MTU, SITE]\n${text}` }];

test('a declared variable is expanded, as a whole value and as a part of one', () => {
  const text = `host: { publicIP: '\${HOST_IP}' }
network: { cidr: 4.0.0.0/16, mtu: '\${MTU}' }
store: { etcd: { endpoints: ['http://etcd.\${SITE}.example:2379'] } }
`;
  const { host, network, store } = read(DECLARING(text), {
    HOST_IP: '203.0.113.7',
    MTU: '1400',
    SITE: 'east',
  });
  assert.equal(host.publicIps.ipv4, '203.0.113.7');
  assert.equal(network.mtu, 1400, 'a number is one');
  assert.deepEqual(store.type === 'etcd' && store.endpoints, ['http://etcd.east.example:2379']);
});

test('what is not declared stays as it stands', () => {
  const text = `docker: { onChange: [sh, -c, 'echo \${HOME} \${HOST_IP}'] }\n`;
  const { docker } = read(DECLARING(text), { HOST_IP: '203.0.113.7', HOME: '/root' });
  assert.deepEqual(docker.onChange, ['sh', '-c', `echo \${HOME} 203.0.113.7`]);
});

test('a variable that is not set is a mistake where it is used', () => {
  const lines = mistakes(DECLARING(`host:\n  publicIP: '\${HOST_IP}'\n`));
  assert.deepEqual(lines, ['f:3:13: host.publicIP: needs HOST_IP, which is not set in the environment']);
});

test('a variable brings one value: no list, no section', () => {
  const lines = mistakes(DECLARING(`host: { subnet: '\${HOST_IP}' }\n`), { HOST_IP: '{ a: 1 }' });
  assert.match(lines.join(), /^f:2:17: host\.subnet: "\{ a: 1 \}" is not allowed/);
});

test('what is declared must be the name of a variable', () => {
  assert.match(
    mistakes([{ file: 'f', text: 'environment: [A-B]\n' }]).join(),
    /^f:1:15: environment\[0\]: "A-B" is not allowed/,
  );
});
