/** The docker-opts command: mk-docker-opts.sh's options, and where it is stricter. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { DOCKER_OPTS_DEFAULTS, type DockerOptsOptions, dockerOpts } from '../../src/cli/docker-opts.js';

const ENV =
  'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.34.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=true\n';
const DEFAULTS: DockerOptsOptions = {
  ...DOCKER_OPTS_DEFAULTS,
  individual: false,
  combined: false,
  ipMasq: true,
  compat: false,
};

test('writes what the script writes', () => {
  const individual = [
    'DOCKER_OPT_BIP="--bip=10.5.34.1/24"',
    'DOCKER_OPT_IPMASQ="--ip-masq=false"',
    'DOCKER_OPT_MTU="--mtu=1472"',
  ];
  const all = '--bip=10.5.34.1/24 --ip-masq=false --mtu=1472';
  for (const { name, options = {}, environment = {}, want } of [
    { name: 'no options', want: [...individual, `DOCKER_OPTS=" ${all}"`] },
    { name: '-i', options: { individual: true }, want: individual },
    { name: '-c', options: { combined: true }, want: [`DOCKER_OPTS=" ${all}"`] },
    {
      name: '-i -c is as neither',
      options: { individual: true, combined: true },
      want: [...individual, `DOCKER_OPTS=" ${all}"`],
    },
    {
      name: '-c -k',
      options: { combined: true, key: 'DOCKER_NETWORK_OPTIONS' },
      want: [`DOCKER_NETWORK_OPTIONS=" ${all}"`],
    },
    {
      name: '-m',
      options: { ipMasq: false },
      want: [individual[0], individual[2], 'DOCKER_OPTS=" --bip=10.5.34.1/24 --mtu=1472"'],
    },
    {
      name: 'options of this environment',
      environment: {
        DOCKER_OPTS: '-H unix:///x',
        DOCKER_OPT_FOO: '--foo',
        DOCKER_OPT_BIP: '--bip=old',
        HOME: '/',
      },
      want: [
        individual[0],
        'DOCKER_OPT_FOO="--foo"',
        ...individual.slice(1),
        'DOCKER_OPTS="-H unix:///x  --bip=10.5.34.1/24 --foo --ip-masq=false --mtu=1472"',
      ],
    },
    {
      name: '-k with a name that every object knows',
      options: { combined: true, key: 'constructor' },
      want: [`constructor=" ${all}"`],
    },
    {
      name: 'the combined variable alone is kept, not another one',
      options: { combined: true, key: 'OPTIONS' },
      environment: { DOCKER_OPTS: '-H unix:///x' },
      want: [`OPTIONS=" ${all}"`],
    },
  ]) {
    const output = want.map((line) => `${line}\n`).join('');
    assert.deepEqual(dockerOpts({ ...DEFAULTS, ...options }, ENV, environment), { exit: 0, output }, name);
  }
});

test('fails without a subnet.env, and writes empty options only when asked to be as the script', () => {
  const result = dockerOpts(DEFAULTS, undefined, {});
  assert.equal(result.exit, 1);
  assert.match(
    'message' in result ? result.message : '',
    /^Cannot read \/run\/flannel\/subnet.env: no such file/,
  );

  const compat = { ...DEFAULTS, compat: true };
  assert.deepEqual(dockerOpts(compat, undefined, {}), { exit: 0, output: 'DOCKER_OPTS=""\n' });
  const existing = { DOCKER_OPTS: '-H unix:///x' };
  assert.deepEqual(dockerOpts(compat, undefined, existing), {
    exit: 0,
    output: 'DOCKER_OPTS="-H unix:///x "\n',
  });
});

test('refuses half a file, from which Docker would start outside the network', () => {
  for (const { text, message } of [
    { text: '', message: 'FLANNEL_SUBNET must be one address with its length' },
    { text: 'FLANNEL_SUBNET=10.5.34\nFLANNEL_MTU=1472\n', message: 'FLANNEL_SUBNET must be one address' },
    { text: 'FLANNEL_SUBNET=10.5.34.1/24\n', message: 'FLANNEL_MTU must be a number of bytes' },
    { text: ENV.replace('=true', '=yes'), message: 'FLANNEL_IPMASQ is "yes", must be true or false' },
  ]) {
    const result = dockerOpts(DEFAULTS, text, {});
    assert.equal(result.exit, 2);
    assert.ok('message' in result && result.message.includes(message), JSON.stringify(result));
  }
});

test('fails on a wrong FLANNEL_IPMASQ as the script does, unless -m leaves it out', () => {
  const text = ENV.replace('=true', '=perhaps');
  assert.equal(dockerOpts({ ...DEFAULTS, compat: true }, text, {}).exit, 1);
  assert.equal(dockerOpts({ ...DEFAULTS, ipMasq: false }, text, {}).exit, 0);
});

test('writes MTU and masquerading alone for a network of IPv6 only', () => {
  const text = 'FLANNEL_IPV6_SUBNET=fd00:12:0:7::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n';
  const output = 'DOCKER_OPTS=" --ip-masq=true --mtu=1450"\n';
  assert.deepEqual(dockerOpts({ ...DEFAULTS, combined: true }, text, {}), { exit: 0, output });
});

test('refuses a name that no variable can have', () => {
  assert.equal(dockerOpts({ ...DEFAULTS, key: 'A B' }, ENV, {}).exit, 64);
});
