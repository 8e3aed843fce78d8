import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressFromBits, parseAddress } from '../../../src/model/address.js';
import { readI32Be, writeI32Be } from '../../../src/wire/big-endian.js';
import { decrementTtl, ipv4Key, ipv4Mask } from '../../../src/wire/ipv4.js';
import { packetOf, readPacket } from '../../fakes/packets.js';

const KEYS = [
  { address: '0.0.0.0', key: 0 },
  { address: '10.1.40.2', key: 0x0a012802 },
  { address: '127.255.255.255', key: 0x7fffffff },
  { address: '198.18.0.11', key: 0xc612000b - 2 ** 32 },
  { address: '255.255.255.255', key: -1 },
];

for (const { address, key } of KEYS) {
  test(`${address} is ${key} on the packet path`, () => assert.equal(ipv4Key(parseAddress(address)), key));
}

test('an address read from a packet is the key of its text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      const text = addressFromBits('ipv4', BigInt.asUintN(32, BigInt(readI32Be(bytes, 0))));
      assert.equal(text, bytes.join('.'));
      assert.equal(ipv4Key(text), readI32Be(bytes, 0));
      const written = new Uint8Array(4);
      writeI32Be(written, 0, ipv4Key(text));
      assert.deepEqual(written, bytes);
    }),
  );
});

test('refuses an IPv6 address', () => {
  assert.throws(() => ipv4Key(parseAddress('fd00::1')), {
    name: 'RangeError',
    message: 'Cannot use address "fd00::1": IPv6, must be IPv4',
  });
});

for (const { length, mask } of [
  { length: 0, mask: 0 },
  { length: 1, mask: 0x80000000 },
  { length: 24, mask: 0xffffff00 },
  { length: 32, mask: 0xffffffff },
]) {
  test(`the mask of /${length}`, () => assert.equal(ipv4Mask(length) >>> 0, mask));
}

test('a lowered TTL leaves all else as it was, and the checksum right', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 255 }),
      fc.nat(255),
      fc.nat(0xffff),
      fc.nat(255),
      (ttl, protocol, identification, dscpAndEcn) => {
        const packet = packetOf({ ttl, protocol, identification, dscpAndEcn });
        const want = packetOf({ ttl: ttl - 1, protocol, identification, dscpAndEcn });
        decrementTtl(packet);
        assert.deepEqual(packet, want);
        readPacket(packet);
      },
    ),
  );
});
