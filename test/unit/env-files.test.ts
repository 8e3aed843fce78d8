/** subnet.env and Docker's options file: text that other programs read and that nobody else may have finished writing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { addressFromBits, type Family, type Prefix, parsePrefix, prefixOf } from '../../src/model/address.js';
import {
  dockerOptions,
  dockerOptionsFile,
  environmentVariables,
  parseSubnetEnv,
  subnetEnv,
} from '../../src/model/env-files.js';

const IPV4 = { cidr: parsePrefix('10.5.0.0/16') };
const IPV6 = { cidr: parsePrefix('fd00:12::/48') };

test('writes both families of a dual-stack network, IPv4 first', () => {
  const text = subnetEnv({
    network: { ipv4: IPV4, ipv6: IPV6 },
    subnets: { ipv4: parsePrefix('10.5.34.0/24'), ipv6: parsePrefix('fd00:12:0:7::/64') },
    mtu: 1472,
    ipMasq: true,
  });
  assert.equal(
    text,
    [
      'FLANNEL_NETWORK=10.5.0.0/16',
      'FLANNEL_SUBNET=10.5.34.1/24',
      'FLANNEL_IPV6_NETWORK=fd00:12::/48',
      'FLANNEL_IPV6_SUBNET=fd00:12:0:7::1/64',
      'FLANNEL_MTU=1472',
      'FLANNEL_IPMASQ=true',
      '',
    ].join('\n'),
  );
});

test('leaves out a family that the network does not have', () => {
  const subnets = { ipv4: parsePrefix('10.5.34.0/24'), ipv6: parsePrefix('fd00:12:0:7::/64') };
  const text = subnetEnv({ network: { ipv6: IPV6 }, subnets, mtu: 1450, ipMasq: false });
  assert.doesNotMatch(text, /FLANNEL_(NETWORK|SUBNET)=/);
  assert.match(text, /^FLANNEL_IPV6_NETWORK=fd00:12::\/48\nFLANNEL_IPV6_SUBNET=fd00:12:0:7::1\/64\n/);
});

test('reads back what it wrote', () => {
  const input = fc.record({
    ipv4: fc.option(subnetIn('ipv4', 16, 24), { nil: undefined }),
    ipv6: fc.option(subnetIn('ipv6', 48, 64), { nil: undefined }),
    mtu: fc.integer({ min: 68, max: 65507 }),
    ipMasq: fc.boolean(),
  });
  fc.assert(
    fc.property(input, ({ ipv4, ipv6, mtu, ipMasq }) => {
      const network = {
        ...(ipv4 && { ipv4: { cidr: ipv4.network } }),
        ...(ipv6 && { ipv6: { cidr: ipv6.network } }),
      };
      const subnets = { ...(ipv4 && { ipv4: ipv4.subnet }), ...(ipv6 && { ipv6: ipv6.subnet }) };
      assert.deepEqual(parseSubnetEnv(subnetEnv({ network, subnets, mtu, ipMasq })), {
        network: { ...(ipv4 && { ipv4: ipv4.network }), ...(ipv6 && { ipv6: ipv6.network }) },
        subnets,
        mtu,
        ipMasq,
      });
    }),
  );
});

test('takes what it can read from a file that is not as it should be', () => {
  for (const { name, text, subnets } of [
    { name: 'nothing', text: '', subnets: {} },
    { name: 'garbage', text: '\u0000\u0001 not a file', subnets: {} },
    { name: 'half a line', text: 'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUB', subnets: {} },
    { name: 'half an address', text: 'FLANNEL_SUBNET=10.5.3', subnets: {} },
    { name: 'no length', text: 'FLANNEL_SUBNET=10.5.34.1', subnets: {} },
    { name: 'a length that cannot be', text: 'FLANNEL_SUBNET=10.5.34.1/33', subnets: {} },
    { name: 'two subnets', text: 'FLANNEL_SUBNET=10.5.34.1/24,10.5.35.1/24', subnets: {} },
    { name: 'a list with one', text: 'FLANNEL_SUBNET=junk, 10.5.34.1/24', subnets: { ipv4: '10.5.34.0/24' } },
    { name: 'the other family', text: 'FLANNEL_SUBNET=fd00::1/64', subnets: {} },
    { name: 'Windows line ends', text: 'FLANNEL_SUBNET=10.5.34.1/24\r\n', subnets: { ipv4: '10.5.34.0/24' } },
    { name: 'quotes', text: 'FLANNEL_SUBNET="10.5.34.1/24"', subnets: { ipv4: '10.5.34.0/24' } },
    { name: 'an export', text: 'export FLANNEL_SUBNET=10.5.34.1/24', subnets: { ipv4: '10.5.34.0/24' } },
    { name: 'a comment', text: '#FLANNEL_SUBNET=10.5.34.1/24', subnets: {} },
    {
      name: 'the last of two lines',
      text: 'FLANNEL_SUBNET=10.5.34.1/24\nFLANNEL_SUBNET=10.5.35.1/24',
      subnets: { ipv4: '10.5.35.0/24' },
    },
  ] as const) {
    assert.deepEqual(parseSubnetEnv(text).subnets, subnets, name);
  }
  assert.deepEqual(parseSubnetEnv('FLANNEL_MTU=many\nFLANNEL_IPMASQ=perhaps\n'), {
    network: {},
    subnets: {},
  });
});

test('never throws, whatever the file holds', () => {
  const line = fc.tuple(
    fc.constantFrom('FLANNEL_SUBNET', 'FLANNEL_IPV6_SUBNET', 'FLANNEL_MTU', 'FLANNEL_IPMASQ', '__proto__'),
    fc.string(),
  );
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          line,
          fc.string().map((text) => ['', text] as const),
        ),
      ),
      (lines) => {
        const text = lines.map(([name, value]) => `${name}=${value}`).join('\n');
        parseSubnetEnv(text);
        dockerOptionsFile(text);
      },
    ),
  );
});

test('tells Docker the inverse of our own masquerading', () => {
  const style = { individual: true };
  assert.equal(dockerOptions({ ipMasq: true }, style), 'DOCKER_OPT_IPMASQ="--ip-masq=false"\n');
  assert.equal(dockerOptions({ ipMasq: false }, style), 'DOCKER_OPT_IPMASQ="--ip-masq=true"\n');
  assert.equal(dockerOptions({}, style), '');
});

test('keeps what the combined variable holds, with the two spaces of the script', () => {
  const text = dockerOptions(
    { bip: '10.5.34.1/24', mtu: '1472', ipMasq: true },
    { individual: false, combined: 'DOCKER_OPTS', existing: '-H unix:///x' },
  );
  assert.equal(text, 'DOCKER_OPTS="-H unix:///x  --bip=10.5.34.1/24 --ip-masq=false --mtu=1472"\n');
});

test('escapes what would end a quoted value', () => {
  const text = dockerOptions({}, { individual: true, others: { DOCKER_OPT_LABEL: '--label="a$b`c\\"' } });
  assert.equal(text, 'DOCKER_OPT_LABEL="--label=\\"a\\$b\\`c\\\\\\""\n');
  assert.equal(environmentVariables(text).get('DOCKER_OPT_LABEL'), '--label="a$b`c\\"');
});

function subnetIn(family: Family, networkLength: number, subnetLength: number) {
  const bits = family === 'ipv4' ? 32n : 128n;
  return fc.bigInt({ min: 0n, max: (1n << bits) - 1n }).map((number): { network: Prefix; subnet: Prefix } => {
    const address = addressFromBits(family, number);
    return { network: prefixOf(address, networkLength), subnet: prefixOf(address, subnetLength) };
  });
}
