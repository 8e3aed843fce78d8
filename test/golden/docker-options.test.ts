/** subnet.env and Docker's options against the bytes that real flannel wrote. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { DOCKER_OPTS_DEFAULTS, dockerOpts } from '../../src/cli/docker-opts.js';
import { type Prefix, parsePrefix } from '../../src/model/address.js';
import { dockerOptionsFile, parseSubnetEnv, subnetEnv } from '../../src/model/env-files.js';
import { repositoryRoot } from '../lab/repository.js';

const PLAIN = { ...DOCKER_OPTS_DEFAULTS, individual: false, combined: false, ipMasq: true, compat: false };

for (const { version, subnet } of [
  { version: 'v0.11.0', subnet: '10.1.95.0/24' },
  { version: 'v0.20.2', subnet: '10.1.28.0/24' },
]) {
  const captured = (name: string) =>
    readFileSync(join(repositoryRoot(), 'test/golden/docker-options', version, name), 'utf8');
  const env = captured('subnet.env');

  test(`writes subnet.env as flannel ${version} does`, () => {
    const input = networkOf('10.1.0.0/16', subnet);
    assert.equal(subnetEnv({ ...input, mtu: 1472, ipMasq: true }), env);
  });

  test(`reads flannel ${version}'s subnet.env`, () => {
    assert.deepEqual(parseSubnetEnv(env), {
      network: { ipv4: '10.1.0.0/16' },
      subnets: { ipv4: subnet },
      mtu: 1472,
      ipMasq: true,
    });
  });

  test(`writes Docker's options as the script of flannel ${version} does`, () => {
    assert.equal(dockerOptionsFile(env), captured('network-options.env'));
    for (const [file, options] of [
      ['plain.env', {}],
      ['combined.env', { combined: true }],
      ['individual.env', { individual: true }],
      ['network-options.env', { key: 'DOCKER_NETWORK_OPTIONS' }],
    ] as const) {
      const result = dockerOpts({ ...PLAIN, ...options }, env, {});
      assert.deepEqual(result, { exit: 0, output: captured(file) }, file);
    }
  });
}

/** The article that explains flannel shows these two files. */
test("writes the article's files", () => {
  const env = subnetEnv({ ...networkOf('4.0.0.0/16', '4.0.34.0/24'), mtu: 1472, ipMasq: false });
  assert.equal(
    env,
    'FLANNEL_NETWORK=4.0.0.0/16\nFLANNEL_SUBNET=4.0.34.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n',
  );
  assert.equal(
    dockerOptionsFile(env),
    [
      'DOCKER_OPT_BIP="--bip=4.0.34.1/24"',
      'DOCKER_OPT_IPMASQ="--ip-masq=true"',
      'DOCKER_OPT_MTU="--mtu=1472"',
      'DOCKER_NETWORK_OPTIONS=" --bip=4.0.34.1/24 --ip-masq=true --mtu=1472"',
      '',
    ].join('\n'),
  );
});

function networkOf(
  cidr: string,
  subnet: string,
): { network: { ipv4: { cidr: Prefix } }; subnets: { ipv4: Prefix } } {
  return { network: { ipv4: { cidr: parsePrefix(cidr) } }, subnets: { ipv4: parsePrefix(subnet) } };
}
