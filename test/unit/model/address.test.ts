import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type Address,
  AddressError,
  addressAt,
  addressFromBits,
  baseOf,
  bitsOf,
  contains,
  FAMILY_BITS,
  type Family,
  familyOf,
  lengthOf,
  overlaps,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
  prefixOf,
  rangeOf,
  tryParseAddress,
  tryParsePrefix,
} from '../../../src/model/address.js';

const families: fc.Arbitrary<Family> = fc.constantFrom('ipv4', 'ipv6');
const addresses: fc.Arbitrary<Address> = families.chain((family) =>
  fc
    .bigInt({ min: 0n, max: (1n << BigInt(FAMILY_BITS[family])) - 1n })
    .map((bits) => addressFromBits(family, bits)),
);
const prefixes = addresses.chain((address) =>
  fc.integer({ min: 0, max: FAMILY_BITS[familyOf(address)] }).map((length) => prefixOf(address, length)),
);

for (const { text, want } of [
  { text: '10.5.34.1', want: '10.5.34.1' },
  { text: '0.0.0.0', want: '0.0.0.0' },
  { text: 'FD00:12:13:0:0:0:0:0', want: 'fd00:12:13::' },
  { text: '2001:db8:0:0:1:0:0:1', want: '2001:db8::1:0:0:1' },
  { text: '2001:db8:0:1:1:1:1:1', want: '2001:db8:0:1:1:1:1:1' },
  { text: '::', want: '::' },
  { text: '::1', want: '::1' },
  { text: '1::', want: '1::' },
  { text: '::ffff:10.0.0.1', want: '::ffff:a00:1' },
  { text: '64:ff9b::10.0.0.1', want: '64:ff9b::a00:1' },
]) {
  test(`reads ${text} as ${want}`, () => assert.equal(parseAddress(text), want));
}

for (const text of [
  '',
  '10.5.34',
  '10.5.34.1.2',
  '10.5.34.256',
  '10.05.34.1',
  '10.5.34.1/24',
  ' 10.5.34.1',
  '1e1.0.0.1',
  ':',
  ':::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1::2::3',
  'g::',
  '12345::',
  '1:2:3:4:5:6:7::8',
  '::10.0.0.256',
  '10.0.0.1::',
]) {
  test(`refuses ${JSON.stringify(text)} as an address`, () => {
    assert.equal(tryParseAddress(text), undefined);
    assert.throws(() => parseAddress(text), AddressError);
  });
}

test('says how a prefix with host bits was meant', () => {
  assert.throws(() => parsePrefix('10.5.1.0/16'), /host bits are set, did you mean "10\.5\.0\.0\/16"\?/);
});

test('says which lengths are allowed', () => {
  assert.throws(() => parsePrefix('10.5.0.0/33'), /length is 33, must be 0 to 32/);
  assert.throws(() => parsePrefix('fd00::/129'), /length is 129, must be 0 to 128/);
});

for (const text of ['10.5.0.0', '10.5.0.0/', '10.5.0.0/16/1', '10.5.0.0/+1', '10.5.0.0/1.5', '/16', 'x/16']) {
  test(`refuses ${JSON.stringify(text)} as a prefix`, () => assert.equal(tryParsePrefix(text), undefined));
}

test('keeps the host bits of an interface address', () => {
  assert.deepEqual(parseInterfaceAddress('10.5.34.1/24'), { address: '10.5.34.1', length: 24 });
});

test('gives the bridge the first address of a subnet', () => {
  assert.equal(addressAt(parsePrefix('10.5.34.0/24'), 1), '10.5.34.1');
  assert.equal(addressAt(parsePrefix('fd00:12::/64'), 1), 'fd00:12::1');
});

test('reads back every address it writes', () => {
  fc.assert(
    fc.property(addresses, (address) => {
      assert.equal(parseAddress(address), address);
      assert.equal(addressFromBits(familyOf(address), bitsOf(address)), address);
    }),
  );
});

test('writes IPv6 as the platform does', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const url = tryParseAddress(text);
      if (url !== undefined && !url.includes('.'))
        assert.equal(new URL(`http://[${text}]/`).hostname, `[${url}]`);
    }),
  );
});

test('reads back every prefix it writes', () => {
  fc.assert(
    fc.property(prefixes, (prefix) => {
      assert.equal(parsePrefix(prefix), prefix);
      assert.equal(prefixOf(baseOf(prefix), lengthOf(prefix)), prefix);
    }),
  );
});

test('contains exactly what lies in its range', () => {
  fc.assert(
    fc.property(prefixes, addresses, (prefix, address) => {
      const { first, last } = rangeOf(prefix);
      const bits = bitsOf(address);
      const isInside = familyOf(prefix) === familyOf(address) && first <= bits && bits <= last;
      assert.equal(contains(prefix, address), isInside);
      assert.ok(contains(prefix, prefix));
    }),
  );
});

test('two prefixes overlap when one holds the other, whichever is asked', () => {
  fc.assert(
    fc.property(prefixes, prefixes, (left, right) => {
      assert.equal(overlaps(left, right), overlaps(right, left));
      assert.equal(overlaps(left, right), contains(left, right) || contains(right, left));
    }),
  );
});
