import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressFromBits, prefixOf } from '../../../src/model/address.js';
import { subnetKey } from '../../../src/model/keys.js';
import type { Subnets } from '../../../src/model/lease.js';
import { subnetsOfKey } from '../../../src/wire/flannel-keys.js';

const READ = [
  { key: '10.5.34.0-24', want: { ipv4: '10.5.34.0/24' } },
  { key: '10.5.34.0-31', want: { ipv4: '10.5.34.0/31' } },
  { key: '128.0.0.0-1', want: { ipv4: '128.0.0.0/1' } },
  { key: '10.5.34.0-24&fd00:12:13::-56', want: { ipv4: '10.5.34.0/24', ipv6: 'fd00:12:13::/56' } },
  { key: '0.0.0.0-0&fd00:0:0:1::-64', want: { ipv6: 'fd00:0:0:1::/64' } },
];

for (const { key, want } of READ) {
  test(`reads ${key}`, () => assert.deepEqual(subnetsOfKey(key), { subnets: want }));
}

const REFUSED = [
  { name: 'no length', key: '10.5.34.0', want: /no subnet/ },
  { name: 'three octets', key: '10.5.34-24', want: /no subnet/ },
  { name: 'an octet above 255', key: '10.5.256.0-24', want: /"10.5.256.0", which is no ipv4/ },
  { name: 'junk after the length', key: '10.5.34.0-24x', want: /no subnet/ },
  { name: 'an IPv6 part alone', key: '&fd00::-64', want: /no subnet/ },
  { name: 'malformed IPv6', key: '10.5.34.0-24&fd00:::-64', want: /no ipv6/ },
  { name: 'IPv6 without a length', key: '10.5.34.0-24&fd00::', want: /no subnet/ },
  { name: 'a leading zero', key: '010.5.34.0-24', want: /no ipv4/ },
  { name: '/0', key: '0.0.0.0-0', want: /length 0, must be 1 to 31/ },
  { name: '/32', key: '10.5.34.1-32', want: /length 32, must be 1 to 31/ },
  { name: '/33', key: '10.5.34.0-33', want: /length 33/ },
  { name: 'IPv6 /0', key: '0.0.0.0-0&::-0', want: /length 0, must be 1 to 127/ },
  { name: 'IPv6 /128', key: '0.0.0.0-0&fd00::-128', want: /length 128/ },
  { name: 'nothing', key: '', want: /no subnet/ },
  { name: 'a pollution attempt', key: '__proto__', want: /no subnet/ },
  { name: 'NUL and control characters', key: '\u0000\u001b[31m10.5', want: /no subnet/ },
];

for (const { name, key, want } of REFUSED) {
  test(`refuses ${name}`, () => {
    const read = subnetsOfKey(key);
    assert.ok('error' in read, JSON.stringify(read));
    assert.match(read.error, want);
    assert.equal(read.subnets, undefined);
  });
}

const MEANT: readonly {
  readonly name: string;
  readonly key: string;
  readonly want: Record<string, string>;
}[] = [
  { name: 'host bits', key: '10.5.34.7-24', want: { ipv4: '10.5.34.0/24' } },
  { name: 'something before the subnet', key: 'x/10.5.34.0-24', want: { ipv4: '10.5.34.0/24' } },
  { name: 'a padded length', key: '10.5.34.0-024', want: { ipv4: '10.5.34.0/24' } },
  {
    name: 'IPv6 not in canonical form',
    key: '0.0.0.0-0&fd00:0:0:1:0::-64',
    want: { ipv6: 'fd00:0:0:1::/64' },
  },
];

for (const { name, key, want } of MEANT) {
  test(`refuses ${name}, and tells which subnet was meant`, () => {
    const read = subnetsOfKey(key);
    assert.ok('error' in read);
    assert.match(read.error, new RegExp(`must be ${subnetKey(want as Subnets)}$`));
    assert.deepEqual(read.subnets, want);
  });
}

const IPV4_SUBNET = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), fc.integer({ min: 1, max: 31 }))
  .map(([bits, length]) => prefixOf(addressFromBits('ipv4', bits), length));
const IPV6_SUBNET = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.integer({ min: 1, max: 127 }))
  .map(([bits, length]) => prefixOf(addressFromBits('ipv6', bits), length));

test('reads back every key that is written', () => {
  const subnets = fc.oneof(
    fc.tuple(IPV4_SUBNET).map(([ipv4]) => ({ ipv4 })),
    fc.tuple(IPV6_SUBNET).map(([ipv6]) => ({ ipv6 })),
    fc.tuple(IPV4_SUBNET, IPV6_SUBNET).map(([ipv4, ipv6]) => ({ ipv4, ipv6 })),
  );
  fc.assert(
    fc.property(subnets, (written) => {
      assert.deepEqual(subnetsOfKey(subnetKey(written)), { subnets: written });
    }),
  );
});

test('never throws, and is quick on a long run of digits', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (key) => void subnetsOfKey(key)));
  const hostile = '1'.repeat(2 ** 16);
  const startedAt = performance.now();
  assert.ok('error' in subnetsOfKey(hostile));
  assert.ok(performance.now() - startedAt < 100);
});
