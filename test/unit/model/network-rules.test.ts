import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Address,
  addressFromBits,
  bitsOf,
  contains,
  lengthOf,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
} from '../../../src/model/address.js';
import type { NetworkConfig } from '../../../src/model/network.js';
import {
  familyNetwork,
  networkDifferences,
  subnetAt,
  subnetMisfit,
} from '../../../src/model/network-rules.js';

function spec(cidr: string, subnetLength?: number, subnetMin?: string, subnetMax?: string) {
  return {
    cidr: parsePrefix(cidr),
    subnetLength,
    subnetMin: subnetMin === undefined ? undefined : parseAddress(subnetMin),
    subnetMax: subnetMax === undefined ? undefined : parseAddress(subnetMax),
  };
}

const DEFAULTS = [
  { name: 'a /16 gets /24 subnets', in: spec('4.0.0.0/16'), want: [24, '4.0.1.0', '4.0.255.0'] },
  { name: 'a /22 gets /24 subnets', in: spec('10.0.0.0/22'), want: [24, '10.0.1.0', '10.0.3.0'] },
  { name: 'a /23 gets /25 subnets', in: spec('10.0.0.0/23'), want: [25, '10.0.0.128', '10.0.1.128'] },
  { name: 'a /28 is just large enough', in: spec('10.0.0.0/28'), want: [30, '10.0.0.4', '10.0.0.12'] },
  { name: 'a given length is kept', in: spec('10.0.0.0/16', 26), want: [26, '10.0.0.64', '10.0.255.192'] },
  {
    name: 'given bounds are kept, the first subnet among them',
    in: spec('10.5.0.0/16', 24, '10.5.0.0', '10.5.40.0'),
    want: [24, '10.5.0.0', '10.5.40.0'],
  },
  { name: 'an IPv6 /48 gets /64', in: spec('fd00::/48'), want: [64, 'fd00:0:0:1::', 'fd00:0:0:ffff::'] },
  {
    name: 'an IPv6 /63 gets /65',
    in: spec('fd00::/63'),
    want: [65, 'fd00::8000:0:0:0', 'fd00:0:0:1:8000::'],
  },
] as const;

for (const { name, in: given, want } of DEFAULTS) {
  test(`defaults: ${name}`, () => {
    const [subnetLength, subnetMin, subnetMax] = want;
    assert.deepEqual(familyNetwork(given), {
      network: { cidr: given.cidr, subnetLength, subnetMin, subnetMax },
    });
  });
}

const REFUSED = [
  { in: spec('0.0.0.0/0'), want: { cidr: /must not be everything/ } },
  { in: spec('10.0.0.0/29'), want: { cidr: /too small.*\/28 or wider/ } },
  { in: spec('fd00::/125'), want: { cidr: /\/124 or wider/ } },
  { in: spec('10.0.0.0/16', 31), want: { subnetLength: /is 31, must be 18 to 30/ } },
  { in: spec('10.0.0.0/16', 17), want: { subnetLength: /is 17, must be 18 to 30/ } },
  { in: spec('10.0.0.0/16', 24.5), want: { subnetLength: /is 24.5/ } },
  { in: spec('10.0.0.0/16', Number.NaN), want: { subnetLength: /is NaN/ } },
  { in: spec('fd00::/48', 127), want: { subnetLength: /must be 50 to 126/ } },
  { in: spec('10.5.0.0/16', 24, '10.6.0.0'), want: { subnetMin: /must lie in 10.5.0.0\/16/ } },
  { in: spec('10.5.0.0/16', 24, 'fd00::'), want: { subnetMin: /must lie in/ } },
  { in: spec('10.5.0.0/16', 24, '10.5.3.7'), want: { subnetMin: /for example 10.5.3.0/ } },
  {
    in: spec('10.5.0.0/16', 24, '10.5.3.7', '10.9.0.0'),
    want: { subnetMin: /start of a subnet/, subnetMax: /must lie in/ },
  },
  { in: spec('10.5.0.0/16', 24, '10.5.9.0', '10.5.8.0'), want: { subnetMin: /no subnet is left/ } },
  { in: spec('10.5.0.0/16', 24, undefined, '10.5.0.0'), want: { subnetMax: /no subnet is left/ } },
];

for (const { in: given, want } of REFUSED) {
  const { cidr, subnetLength, subnetMin, subnetMax } = given;
  test(`refuses ${[cidr, subnetLength, subnetMin, subnetMax].join(' ')} and names ${Object.keys(want)}`, () => {
    const result = familyNetwork(given);
    assert.ok('errors' in result, JSON.stringify(result));
    assert.deepEqual(
      result.errors.map((error) => error.field),
      Object.keys(want),
    );
    for (const { field, message } of result.errors) {
      assert.match(message, want[field as keyof typeof want] ?? /never/);
    }
  });
}

const ANY_IPV4_NETWORK = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), fc.integer({ min: 1, max: 28 }), fc.nat(20))
  .map(([bits, length, longer]) => {
    const subnetLength = Math.min(30, length + 2 + longer);
    return { cidr: prefixOf(addressFromBits('ipv4', bits), length), subnetLength };
  });

test('first and last subnet lie in the network and fit it, their neighbours do not', () => {
  fc.assert(
    fc.property(ANY_IPV4_NETWORK, (given) => {
      const result = familyNetwork(given);
      assert.ok('network' in result);
      const { network } = result;
      const step = 1n << BigInt(32 - network.subnetLength);
      for (const [edge, beyond] of [
        [network.subnetMin, -step],
        [network.subnetMax, step],
      ] as const) {
        const subnet = subnetAt(network, edge);
        assert.ok(contains(network.cidr, subnet));
        assert.equal(subnetMisfit(network, subnet), undefined);
        const bits = bitsOf(edge) + beyond;
        if (bits < 0n || bits >= 2n ** 32n) continue;
        const neighbour: Address = addressFromBits('ipv4', bits);
        assert.match(subnetMisfit(network, subnetAt(network, neighbour)) ?? '', /^outside/);
      }
      assert.ok(!overlaps(subnetAt(network, network.subnetMin), subnetAt(network, network.subnetMax)));
    }),
  );
});

test('a subnet of another length or family does not fit', () => {
  const result = familyNetwork(spec('10.5.0.0/16'));
  assert.ok('network' in result);
  const misfit = (subnet: string) => subnetMisfit(result.network, subnet as Prefix);
  assert.equal(misfit('10.5.3.0/25'), 'length is 25, must be 24');
  assert.equal(misfit('fd00::/64'), 'not in 10.5.0.0/16');
  assert.equal(lengthOf('10.5.3.0/25' as Prefix), 25);
});

test('differences name each field, the store first', () => {
  const network = (cidr: string, subnetLength: number, port: number): NetworkConfig => {
    const result = familyNetwork(spec(cidr, subnetLength));
    assert.ok('network' in result);
    return { ipv4: result.network, backend: { type: 'udp', port } };
  };
  const store = network('10.5.0.0/16', 24, 8285);
  assert.deepEqual(networkDifferences(store, store), []);
  assert.deepEqual(networkDifferences(store, network('10.5.0.0/16', 25, 8286)), [
    'subnetLength 24 in the store, 25 in the file',
    'subnetMin 10.5.1.0 in the store, 10.5.0.128 in the file',
    'subnetMax 10.5.255.0 in the store, 10.5.255.128 in the file',
    'backend.port 8285 in the store, 8286 in the file',
  ]);
  assert.deepEqual(networkDifferences(store, { backend: store.backend }), [
    'cidr 10.5.0.0/16 in the store, absent in the file',
  ]);
});
