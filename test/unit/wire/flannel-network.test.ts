import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressFromBits, bitsOf, FAMILY_BITS, prefixOf } from '../../../src/model/address.js';
import type { FamilyNetwork, NetworkConfig } from '../../../src/model/network.js';
import { familyNetwork } from '../../../src/model/network-rules.js';
import { StoredValueError } from '../../../src/wire/flannel-json.js';
import { networkJson, parseNetworkJson } from '../../../src/wire/flannel-network.js';

const STORY = {
  ipv4: { cidr: '4.0.0.0/16', subnetLength: 24, subnetMin: '4.0.1.0', subnetMax: '4.0.255.0' },
  backend: { type: 'udp', port: 8285 },
};

const READ = [
  {
    name: 'the form that is written',
    json: '{"Network":"4.0.0.0/16","SubnetLen":24,"Backend":{"Type":"udp","Port":8285}}',
  },
  { name: 'a network alone, whose backend is udp', json: '{"Network":"4.0.0.0/16"}' },
  { name: 'names in any case', json: '{"NETWORK":"4.0.0.0/16","backend":{"TYPE":"udp"}}' },
  { name: 'a type in any case', json: '{"Network":"4.0.0.0/16","Backend":{"Type":"UDP"}}' },
  { name: 'host bits, masked off', json: '{"Network":"4.0.34.1/16"}' },
  { name: 'the last of several', json: '{"Network":"5.0.0.0/8","network":"4.0.0.0/16"}' },
  {
    name: 'fields of others',
    json: '{"Network":"4.0.0.0/16","EnableNFTables":true,"Backend":{"Type":"udp","MTU":1}}',
  },
  { name: 'zero for absent', json: '{"Network":"4.0.0.0/16","SubnetLen":0,"SubnetMin":"0.0.0.0"}' },
  {
    name: 'null for absent',
    json: '{"Network":"4.0.0.0/16","SubnetLen":null,"SubnetMax":null,"EnableIPv4":null}',
  },
  {
    name: 'IPv6 fields of a network without IPv6',
    json: '{"Network":"4.0.0.0/16","IPv6Network":"nonsense"}',
  },
];

for (const { name, json } of READ) {
  test(`reads ${name}`, () => assert.deepEqual(parseNetworkJson(json), STORY));
}

test('reads bounds and both families', () => {
  const json =
    '{"Network":"10.5.0.0/16","SubnetLen":25,"SubnetMin":"10.5.0.0","SubnetMax":"10.5.0.128","EnableIPv6":true,' +
    '"IPv6Network":"fd00:5::/48","Backend":{"Type":"udp","Port":7000}}';
  const config = parseNetworkJson(json);
  assert.deepEqual(config, {
    ipv4: { cidr: '10.5.0.0/16', subnetLength: 25, subnetMin: '10.5.0.0', subnetMax: '10.5.0.128' },
    ipv6: { cidr: 'fd00:5::/48', subnetLength: 64, subnetMin: 'fd00:5:0:1::', subnetMax: 'fd00:5:0:ffff::' },
    backend: { type: 'udp', port: 7000 },
  });
  assert.equal(
    networkJson(config),
    '{"Network":"10.5.0.0/16","SubnetLen":25,"SubnetMin":"10.5.0.0","SubnetMax":"10.5.0.128","EnableIPv6":true,' +
      '"IPv6Network":"fd00:5::/48","IPv6SubnetLen":64,"Backend":{"Type":"udp","Port":7000}}',
  );
});

test('writes a network as an operator would, without the bounds that are the default', () => {
  assert.equal(
    networkJson(parseNetworkJson('{"Network":"4.0.0.0/16"}')),
    '{"Network":"4.0.0.0/16","SubnetLen":24,"Backend":{"Type":"udp","Port":8285}}',
  );
});

const REFUSED = [
  { json: '{}', want: /^Network is missing$/ },
  { json: '{"Network":""}', want: /^Network is "", must be a network such as 10.5.0.0\/16$/ },
  { json: '{"Network":"fd00::/48"}', want: /^Network is "fd00::\/48"/ },
  { json: '{"Network":"4.0.0.0/33"}', want: /^Network is "4.0.0.0\/33"/ },
  { json: '{"Network":"4.0.0.0/30"}', want: /^Network is "4.0.0.0\/30", too small/ },
  { json: '{"Network":"0.0.0.0/0"}', want: /^Network is "0.0.0.0\/0", must not be everything/ },
  { json: '{"Network":"4.0.0.0/16","SubnetLen":31}', want: /^SubnetLen is 31, must be 18 to 30/ },
  { json: '{"Network":"4.0.0.0/16","SubnetLen":-1}', want: /^SubnetLen is -1/ },
  { json: '{"Network":"4.0.0.0/16","SubnetLen":"24"}', want: /^SubnetLen is "24", must be a whole number/ },
  { json: '{"Network":"4.0.0.0/16","SubnetMin":"5.0.0.0"}', want: /^SubnetMin is 5.0.0.0, must lie in/ },
  { json: '{"Network":"4.0.0.0/16","SubnetMin":"4.0.0"}', want: /^SubnetMin is "4.0.0", must be an address/ },
  {
    json: '{"Network":"4.0.0.0/16","EnableIPv4":"yes"}',
    want: /^EnableIPv4 is "yes", must be true or false/,
  },
  { json: '{"EnableIPv4":false}', want: /both false/ },
  { json: '{"EnableIPv4":false,"EnableIPv6":true}', want: /^IPv6Network is missing$/ },
  { json: '{"Network":"4.0.0.0/16","Backend":{}}', want: /^Backend.Type is missing$/ },
  { json: '{"Network":"4.0.0.0/16","Backend":null}', want: /^Backend is null/ },
  { json: '{"Network":"4.0.0.0/16","Backend":"udp"}', want: /^Backend is "udp", must be an object/ },
  {
    json: '{"Network":"4.0.0.0/16","Backend":{"Type":"aloha"}}',
    want: /^Backend.Type is "aloha", must be one of/,
  },
  { json: '{"Network":"4.0.0.0/16","Backend":{"Type":"__proto__"}}', want: /^Backend.Type is "__proto__"/ },
  { json: '{"Network":"4.0.0.0/16","Backend":{"Type":"udp","Port":0}}', want: /^Backend.Port is 0/ },
  {
    json: '{"Network":"4.0.0.0/16","Backend":{"Type":"udp","Port":"8285"}}',
    want: /^Backend.Port is "8285"/,
  },
];

for (const { json, want } of REFUSED) {
  test(`refuses ${json} and names the field`, () =>
    assert.throws(
      () => parseNetworkJson(json),
      (error: Error) => error instanceof StoredValueError && want.test(error.message),
    ));
}

const BACKEND = fc.integer({ min: 1, max: 65_535 }).map((port) => ({ type: 'udp' as const, port }));

function anyFamily(family: 'ipv4' | 'ipv6'): fc.Arbitrary<FamilyNetwork> {
  const width = FAMILY_BITS[family];
  return fc
    .record({
      bits: fc.bigInt({ min: 0n, max: 2n ** BigInt(width) - 1n }),
      length: fc.integer({ min: 1, max: width - 4 }),
      longer: fc.integer({ min: 2, max: 20 }),
      from: fc.nat(),
      to: fc.nat(),
    })
    .map(({ bits, length, longer, from, to }) => {
      const cidr = prefixOf(addressFromBits(family, bits), length);
      const subnetLength = Math.min(length + longer, width - 2);
      const step = 1n << BigInt(width - subnetLength);
      const count = 1 << (subnetLength - length);
      const [first = 0, last = 0] = [from % count, to % count].sort((left, right) => left - right);
      const at = (index: number) => addressFromBits(family, bitsOf(cidr) + BigInt(index) * step);
      // The zero address means absent to flannel, so it cannot be written as a bound.
      const isZero = bitsOf(cidr) === 0n && first === 0;
      const spec = {
        cidr,
        subnetLength,
        ...(!isZero && { subnetMin: at(first) }),
        subnetMax: at(Math.max(last, 1)),
      };
      const result = familyNetwork(spec);
      assert.ok('network' in result, JSON.stringify(result));
      return result.network;
    });
}

test('reads back every network it writes', () => {
  const network: fc.Arbitrary<NetworkConfig> = fc.oneof(
    fc.tuple(anyFamily('ipv4'), BACKEND).map(([ipv4, backend]) => ({ ipv4, backend })),
    fc.tuple(anyFamily('ipv6'), BACKEND).map(([ipv6, backend]) => ({ ipv6, backend })),
    fc
      .tuple(anyFamily('ipv4'), anyFamily('ipv6'), BACKEND)
      .map(([ipv4, ipv6, backend]) => ({ ipv4, ipv6, backend })),
  );
  fc.assert(
    fc.property(network, (written) => {
      assert.deepEqual(parseNetworkJson(networkJson(written)), written);
    }),
  );
});
