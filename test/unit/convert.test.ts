/** What flanneld's options become: properties over random ones, and the cases that properties do not reach. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { load } from 'js-yaml';
import { configErrorsText } from '../../src/cli/config-errors.js';
import { readConfig } from '../../src/config/read-config.js';
import { configSchema } from '../../src/config/schema.js';
import { type Conversion, type ConvertInput, convert } from '../../src/convert/convert.js';
import { FLAGS, type Flag, variableOf } from '../../src/convert/flanneld-flags.js';
import { InputError } from '../../src/convert/part.js';
import type { Config } from '../../src/model/config.js';

const SECRET = 'hunter2-is-the-password';

/** What an operator may have written, and what nobody would. */
const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'etcd-endpoints': fc
    .array(
      fc.constantFrom(
        'http://127.0.0.1:2379',
        'https://[fd00::1]:2379',
        'etcd01:2379',
        ` http://root:${SECRET}@10.0.0.1:4001/ `,
        'http://10.0.0.1',
        "http://it's:1",
      ),
      { minLength: 1, maxLength: 4 },
    )
    .map((urls) => urls.join(',')),
  'etcd-prefix': fc.constantFrom('/coreos.com/network', 'relative', '/a//b/', '/with space', '/x: y # z'),
  'etcd-keyfile': fc.constantFrom('/etc/key.pem', 'key.pem', ''),
  'etcd-certfile': fc.constantFrom('/etc/cert.pem', 'cert.pem', ''),
  'etcd-cafile': fc.constantFrom('/etc/ca.pem', './ca.pem', ''),
  'etcd-username': fc.constantFrom('root', 'true', '- x', ''),
  'etcd-password': fc.constantFrom(SECRET, ''),
  iface: fc.constantFrom(
    'eth0',
    '10.8.65.66',
    'auto',
    'no',
    '1',
    '10.8.65.999',
    'eth0:1',
    'fd00::1',
    'x'.repeat(16),
    '',
  ),
  'iface-regex': fc.constantFrom('^eth', '10\\.8\\.', '(', '(?i)ETH', '[[:alpha:]]', "it's", '#'),
  'iface-can-reach': fc.constantFrom('10.8.64.10', 'etcd01', '::1'),
  'public-ip': fc.constantFrom('10.8.65.66', '127.0.0.1', 'host', 'fd00::1', ''),
  'public-ipv6': fc.constantFrom('2001:db8::7', 'fe80::1', '10.8.65.66', '::', ''),
  'subnet-file': fc.constantFrom('/run/flannel/subnet.env', '/run/flannel/docker', 'subnet.env', '/run/', ''),
};
const anyText = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ maxLength: 12, unit: 'binary' }),
  fc.constantFrom('\u2028', '\u0085', '\n# x', "'", '"', '\t', '\u202e'),
);

const anyGiven = fc
  .constantFrom(...FLAGS)
  .chain((flag) => fc.record({ flag: fc.constant(flag), value: valueFor(flag) }));

function valueFor(flag: Flag): fc.Arbitrary<string> {
  if (flag.kind === 'switch') return fc.constantFrom('true', 'false', '1', 'F');
  if (flag.kind === 'number') return fc.integer({ min: -5, max: 100_000 }).map(String);
  const own = VALUES[flag.name];
  return own === undefined
    ? anyText
    : fc.oneof({ weight: 3, arbitrary: own }, { weight: 1, arbitrary: anyText });
}

const anyNetConf = fc.oneof(
  fc.constant(undefined),
  fc
    .record(
      {
        Network: fc.constantFrom(
          '10.5.0.0/16',
          '10.5.3.7/20',
          '10.5.0.0/28',
          '10.5.0.0/30',
          'fd00::/48',
          '0.0.0.0/0',
        ),
        SubnetLen: fc.integer({ min: 0, max: 32 }),
        SubnetMin: fc.constantFrom('10.5.1.0', '0.0.0.0', '10.6.0.0', '10.5.0.7'),
        SubnetMax: fc.constantFrom('10.5.255.0', '10.5.0.0', null),
        EnableIPv6: fc.boolean(),
        EnableNFTables: fc.boolean(),
        Backend: fc.record(
          {
            Type: fc.constantFrom('udp', 'UDP', 'vxlan', 'host-gw', '\u2028'),
            Port: fc.integer({ min: 0, max: 70_000 }),
            PSK: fc.constant(SECRET),
          },
          { requiredKeys: [] },
        ),
        '\u2028#': fc.constant(1),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value)),
);

test('makes a valid file out of whatever flanneld takes, and shows no secret', () => {
  let converted = 0;
  fc.assert(
    fc.property(
      fc.array(anyGiven, { maxLength: 12 }),
      fc.array(anyGiven, { maxLength: 6 }),
      anyNetConf,
      anyText,
      (given, inFile, netConf, fileName) => {
        const variables = inFile.filter(({ value }) => !/['\\\p{C}]/u.test(value));
        const outcome = attempt({
          argv: given.map(({ flag, value }) => `-${flag.name}=${value}`),
          environmentFiles: [
            {
              name: fileName,
              text: variables.map(({ flag, value }) => `${variableOf(flag)}='${value}'\n`).join(''),
            },
          ],
          netConf: netConf === undefined ? undefined : { name: fileName, text: netConf },
        });
        assert.ok(!JSON.stringify(outcome ?? null).includes(SECRET));
        if (outcome === undefined) return;
        converted++;
        valid(outcome.yaml);
        for (const { flag } of given) assert.match(outcome.yaml, new RegExp(`-${flag.name}(?![\\w-])`));
        for (const { flag } of variables)
          assert.ok(outcome.yaml.includes(variableOf(flag)), `${flag.name} is lost`);
        for (const note of outcome.notConverted) assert.ok(outcome.yaml.includes(`# - ${note}\n`), note);
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(converted > 20, `${converted} were converted`);
});

test('writes the keys in the order of the reference', () => {
  const { yaml } = convertedFrom(
    '-etcd-username=a',
    '-etcd-password=b',
    '-public-ip=10.0.0.1',
    '-iface=e',
    '-subnet-file=/x',
  );
  const sections = Object.keys(load(yaml) as object);
  const order = Object.keys(configSchema.shape).filter((key) => sections.includes(key));
  assert.deepEqual(sections, order);
  assert.deepEqual(order, ['network', 'host', 'store', 'dataplane', 'files']);
  const { etcd } = (load(yaml) as { store: { etcd: object } }).store;
  assert.deepEqual(Object.keys(etcd), ['endpoints', 'prefix', 'username', 'passwordFile']);
});

test('reads -flag value, -flag=value and --flag=value alike', () => {
  const forms = [
    ['-iface', 'eth0', '-ip-masq', '-etcd-prefix', '-x'],
    ['-iface=eth0', '-ip-masq=true', '-etcd-prefix=-x'],
    ['--iface', 'eth0', '--ip-masq=T', '--etcd-prefix', '-x'],
    ['/usr/bin/flanneld', '--iface=eth0', '--ip-masq', '--etcd-prefix=-x', '--'],
  ].map((argv) => convertedFrom(...argv));
  for (const form of forms) assert.deepEqual(form, forms[0]);
  assert.deepEqual(forms[0]?.notConverted, []);
});

for (const { argv, want } of [
  { argv: ['-iface=eth0'], want: { by: 'name', name: 'eth0' } },
  { argv: ['-iface=auto'], want: { by: 'name', name: 'auto' } },
  { argv: ['-iface=1'], want: { by: 'name', name: '1' } },
  { argv: ['-iface=yes'], want: { by: 'name', name: 'yes' } },
  { argv: ['-iface=10.8.65.66'], want: { by: 'address', address: '10.8.65.66' } },
  { argv: ['-iface=10.8.65.999'], want: { by: 'name', name: '10.8.65.999' } },
  { argv: ["-iface-regex=^it's #1"], want: { by: 'regex', regex: "^it's #1" } },
  { argv: ['-iface-regex=^(?:eth|en)\\d+$'], want: { by: 'regex', regex: '^(?:eth|en)\\d+$' } },
  { argv: ['-iface-can-reach=10.8.64.10'], want: { by: 'can-reach', address: '10.8.64.10' } },
  { argv: ['-iface-regex=^e', '-iface=eth1'], want: { by: 'name', name: 'eth1' } },
  { argv: ['-public-ip=10.8.65.66'], want: { by: 'address', address: '10.8.65.66' } },
  { argv: ['-public-ip=10.8.65.66', '-iface=eth0'], want: { by: 'name', name: 'eth0' } },
  { argv: ['-public-ip='], want: { by: 'default-route' } },
  { argv: ['-public-ipv6=2001:db8::7'], want: { by: 'address', address: '2001:db8::7' } },
  {
    argv: ['-public-ipv6=2001:db8::7', '-public-ip=10.8.65.66'],
    want: { by: 'address', address: '10.8.65.66' },
  },
  { argv: [], want: { by: 'default-route' } },
] as const) {
  test(`chooses the interface that flanneld ${argv.join(' ')} chooses`, () => {
    assert.deepEqual(valid(convertedFrom('flanneld', ...argv).yaml).host.interface, want);
  });
}

test('takes no regular expression that means something else here', () => {
  for (const regex of [
    '(?i)eth',
    '(?P<n>e)',
    '[[:digit:]]',
    '[]a]',
    '[^]a]',
    '\\Aeth',
    'eth\\z',
    '\\Qa.b\\E',
    '\\pL',
    '\\x{41}',
    '\\1',
  ]) {
    const { yaml, notConverted } = convertedFrom(`-iface-regex=${regex}`);
    assert.equal(notConverted.length, 1, regex);
    assert.deepEqual(valid(yaml).host.interface, { by: 'default-route' });
  }
});

test('gives endpoints without a scheme the one that flanneld would use', () => {
  const tls = ['-etcd-certfile=/c.pem', '-etcd-keyfile=/k.pem'];
  for (const { argv, want } of [
    { argv: [], want: 'http://etcd01:2379' },
    { argv: tls.slice(0, 1), want: 'http://etcd01:2379' },
    { argv: tls, want: 'https://etcd01:2379' },
  ]) {
    const { store } = valid(convertedFrom('-etcd-endpoints=etcd01:2379', ...argv).yaml);
    assert.deepEqual(store.type === 'etcd' && store.endpoints, [want]);
  }
});

test('takes certificate and key both or neither', () => {
  for (const [certificate, key] of [
    ['/c.pem', 'k.pem'],
    ['c.pem', '/k.pem'],
  ]) {
    const { yaml, notConverted } = convertedFrom(
      '-etcd-endpoints=https://etcd01:2379',
      '-etcd-cafile=/ca.pem',
      `-etcd-certfile=${certificate}`,
      `-etcd-keyfile=${key}`,
    );
    const { store } = valid(yaml);
    assert.deepEqual(store.type === 'etcd' && store.tls, { caFile: '/ca.pem' });
    assert.equal(notConverted.length, 2);
  }
});

test('writes masquerading out, as flanneld has it', () => {
  assert.equal(valid(convertedFrom('flanneld').yaml).network.ipMasq, false);
  assert.equal(valid(convertedFrom('-ip-masq').yaml).network.ipMasq, true);
});

test('says of each flag at its default that nothing is lost', () => {
  const argv = FLAGS.filter(({ kind }) => kind !== 'list').map((flag) => `-${flag.name}=${flag.default}`);
  assert.deepEqual(convertedFrom(...argv).notConverted, []);
});

test('refuses what would make a file too long to be read', () => {
  const endpoints = Array.from({ length: 2000 }, (_, at) => `http://10.0.${at >> 8}.${at & 255}:2379`).join(
    ',',
  );
  assert.throws(
    () => convertedFrom(`-etcd-endpoints=${endpoints}`),
    /^InputError: the result: has \d+ characters, must have at most 32768$/,
  );
});

function convertedFrom(...argv: readonly string[]): Conversion {
  return convert({ argv, environmentFiles: [] });
}

/** Undefined when the input was refused; anything but an InputError is a mistake. */
function attempt(input: ConvertInput): Conversion | undefined {
  try {
    return convert(input);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    assert.ok(!error.message.includes(SECRET), error.message);
    return undefined;
  }
}

function valid(yaml: string): Config {
  const reading = readConfig(yaml, 'flannelette.yaml');
  if ('config' in reading) return reading.config;
  throw new Error(`${configErrorsText(reading.errors, () => yaml)}\n${yaml}`);
}
