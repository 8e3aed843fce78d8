import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Address, addressFromBits } from '../../../src/model/address.js';
import type { JsonValue, LeaseAttributes } from '../../../src/model/lease.js';
import { StoredValueError } from '../../../src/wire/flannel-json.js';
import { leaseJson, parseLeaseJson } from '../../../src/wire/flannel-lease.js';

const ipv4 = '192.0.2.11' as Address;
const ipv6 = '2001:db8::11' as Address;

// Byte for byte what flanneld writes.
const WRITTEN: readonly { readonly json: string; readonly attributes: LeaseAttributes }[] = [
  {
    json: '{"PublicIP":"192.0.2.11","PublicIPv6":null}',
    attributes: { publicIps: { ipv4 }, backendType: '' },
  },
  {
    json: '{"PublicIP":"192.0.2.11","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"6e:10:00:aa:bb:cc"}}',
    attributes: {
      publicIps: { ipv4 },
      backendType: 'vxlan',
      backendData: { VNI: 1, VtepMAC: '6e:10:00:aa:bb:cc' },
    },
  },
  {
    json: '{"PublicIP":"192.0.2.11","PublicIPv6":"2001:db8::11","BackendType":"host-gw"}',
    attributes: { publicIps: { ipv4, ipv6 }, backendType: 'host-gw' },
  },
  {
    json: '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::11","BackendType":"wireguard","BackendV6Data":{"PublicKey":"a+/=","Port":51821}}',
    attributes: {
      publicIps: { ipv6 },
      backendType: 'wireguard',
      backendV6Data: { PublicKey: 'a+/=', Port: 51821 },
    },
  },
  {
    json: '{"PublicIP":"192.0.2.11","PublicIPv6":null,"BackendType":"extension","BackendData":"three words here","Zone":{"b":1,"a":[null]}}',
    attributes: {
      publicIps: { ipv4 },
      backendType: 'extension',
      backendData: 'three words here',
      unknownFields: { Zone: { b: 1, a: [null] } },
    },
  },
];

for (const { json, attributes } of WRITTEN) {
  test(`writes and reads ${json}`, () => {
    assert.equal(leaseJson(attributes), json);
    assert.deepEqual(parseLeaseJson(json), attributes);
  });
}

const TOLERATED: readonly { readonly name: string; readonly json: string; readonly want: object }[] = [
  {
    name: 'the form of flannel before IPv6',
    json: '{"PublicIP":"192.0.2.11"}',
    want: { publicIps: { ipv4 }, backendType: '' },
  },
  {
    name: 'names in any case',
    json: '{"publicip":"192.0.2.11","BACKENDTYPE":"vxlan"}',
    want: { publicIps: { ipv4 }, backendType: 'vxlan' },
  },
  {
    name: 'the last of several',
    json: '{"PublicIP":"192.0.2.1","publicIp":"192.0.2.11"}',
    want: { publicIps: { ipv4 }, backendType: '' },
  },
  { name: 'no public address', json: '{}', want: { publicIps: {}, backendType: '' } },
  {
    name: 'zero addresses as none',
    json: '{"PublicIP":"0.0.0.0","PublicIPv6":"::"}',
    want: { publicIps: {}, backendType: '' },
  },
  {
    name: 'null as absent',
    json: '{"PublicIP":null,"BackendType":null,"BackendData":null}',
    want: { publicIps: {}, backendType: '' },
  },
  {
    name: 'IPv6 in any spelling',
    json: '{"PublicIPv6":"2001:DB8:0::11"}',
    want: { publicIps: { ipv6 }, backendType: '' },
  },
];

for (const { name, json, want } of TOLERATED) {
  test(`reads ${name}`, () => assert.deepEqual(parseLeaseJson(json), want));
}

const REFUSED = [
  { name: 'nothing', json: '', want: /not JSON/ },
  { name: 'half a value', json: '{"PublicIP":"192.0.2', want: /not JSON/ },
  { name: 'NaN', json: '{"PublicIP":NaN}', want: /not JSON/ },
  { name: 'null', json: 'null', want: /is null, must be an object/ },
  { name: 'a list', json: '["192.0.2.11"]', want: /must be an object/ },
  { name: 'a number as address', json: '{"PublicIP":3221225995}', want: /must be a string/ },
  { name: 'an empty address', json: '{"PublicIP":""}', want: /must be an IPv4 address/ },
  { name: 'IPv6 in the place of IPv4', json: '{"PublicIP":"fd00::1"}', want: /must be an IPv4 address/ },
  { name: 'IPv4 in the place of IPv6', json: '{"PublicIPv6":"192.0.2.1"}', want: /must be an IPv6 address/ },
  { name: 'a backend type that is no text', json: '{"BackendType":{}}', want: /BackendType is {}, must be/ },
  { name: 'a lone surrogate', json: '{"PublicIP":"\\ud800"}', want: /must be an IPv4 address/ },
  { name: 'NUL in the value', json: '{"PublicIP":"192.0.2.11\u0000"}', want: /not JSON/ },
  { name: 'an escaped NUL', json: '{"PublicIP":"192.0.2.11\\u0000"}', want: /\\u0000", must be an IPv4/ },
  { name: 'a number out of range', json: '{"Metric":1e999}', want: /number out of range/ },
  { name: 'a megabyte', json: `{"a":"${'x'.repeat(2 ** 20)}"}`, want: /has 10485\d\d characters, must be/ },
  { name: 'deep nesting', json: `{"a":${'['.repeat(9000)}${']'.repeat(9000)}}`, want: /levels deep/ },
];

for (const { name, json, want } of REFUSED) {
  test(`refuses ${name}`, () => assert.throws(() => parseLeaseJson(json), want));
}

test('keeps a field named __proto__ as plain data', () => {
  const json = '{"PublicIP":"192.0.2.11","PublicIPv6":null,"__proto__":{"polluted":true}}';
  const attributes = parseLeaseJson(json);
  assert.equal(leaseJson(attributes), json);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  assert.equal((attributes.unknownFields as { polluted?: boolean }).polluted, undefined);
});

test('says why in printable ASCII whatever the value holds', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json({ stringUnit: 'binary' })), (text) => {
      for (const json of [
        text,
        `{"PublicIP":${JSON.stringify(text)}}`,
        `{"BackendType":[${JSON.stringify(text)}]}`,
      ]) {
        try {
          parseLeaseJson(json);
        } catch (error) {
          assert.ok(error instanceof StoredValueError, String(error));
          assert.match(error.message, /^[ -~]{1,160}$/);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('reads back whatever it writes', () => {
  const address = (family: 'ipv4' | 'ipv6', width: bigint) =>
    fc.bigInt({ min: 1n, max: 2n ** width - 1n }).map((bits) => addressFromBits(family, bits));
  const attributes = fc.record({
    publicIps: fc.record({ ipv4: address('ipv4', 32n), ipv6: address('ipv6', 128n) }, { requiredKeys: [] }),
    backendType: fc.string(),
    unknownFields: fc.dictionary(
      fc.string({ minLength: 1 }).map((name) => `x-${name}`),
      fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>,
      { minKeys: 1, noNullPrototype: true },
    ),
  });
  fc.assert(
    fc.property(attributes, (written) => {
      // JSON has one zero.
      assert.deepEqual(parseLeaseJson(leaseJson(written)), JSON.parse(JSON.stringify(written)));
    }),
  );
});
