import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from '../../../src/model/address.js';
import { ICMP_ERROR, isIcmpError, writeIcmpError } from '../../../src/wire/icmp.js';
import { ipv4Key } from '../../../src/wire/ipv4.js';
import { packetOf, readIcmp, readPacket } from '../../fakes/packets.js';

const OURS = ipv4Key(parseAddress('10.1.40.0'));
const THEIRS = ipv4Key(parseAddress('10.1.40.2'));

test('an error reads back: addresses, TTL 64, type and code, the packet quoted, checksums right', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(ICMP_ERROR)),
      fc.uint8Array({ maxLength: 1452 }),
      fc.nat(10),
      (error, payload, optionWords) => {
        const packet = packetOf({ payload, options: new Uint8Array(optionWords * 4).fill(1) });
        const answer = new Uint8Array(2048).fill(0xaa);
        const bytes = writeIcmpError(answer, error, packet, OURS, THEIRS, 0);
        const read = readPacket(answer.subarray(0, bytes));
        assert.equal(read.source, '10.1.40.0');
        assert.equal(read.destination, '10.1.40.2');
        assert.equal(read.ttl, 64);
        const { type, code, quote } = readIcmp(read);
        assert.deepEqual({ type, code }, error);
        assert.deepEqual(quote, packet.subarray(0, Math.min(packet.length, 548)));
      },
    ),
  );
});

test('the whole error fits into 576 bytes', () => {
  const answer = new Uint8Array(2048);
  const packet = packetOf({ payload: new Uint8Array(1400) });
  assert.equal(writeIcmpError(answer, ICMP_ERROR.TIME_EXCEEDED, packet, OURS, THEIRS, 0), 576);
});

test('fragmentation needed names the next-hop MTU', () => {
  const answer = new Uint8Array(2048);
  const bytes = writeIcmpError(answer, ICMP_ERROR.FRAGMENTATION_NEEDED, packetOf(), OURS, THEIRS, 1472);
  assert.equal(readIcmp(readPacket(answer.subarray(0, bytes))).nextHopMtu, 1472);
});

for (const { name, type, want } of [
  { name: 'an echo reply', type: 0, want: false },
  { name: 'destination unreachable', type: 3, want: true },
  { name: 'source quench', type: 4, want: true },
  { name: 'a redirect', type: 5, want: true },
  { name: 'an echo request', type: 8, want: false },
  { name: 'time exceeded', type: 11, want: true },
  { name: 'parameter problem', type: 12, want: true },
  { name: 'a timestamp request', type: 13, want: false },
]) {
  test(`${name} is ${want ? 'an error' : 'no error'}`, () => {
    assert.equal(isIcmpError(Uint8Array.of(0, type), 1, 1), want);
  });
}

test('a message too short to have a type is taken for an error', () => {
  assert.equal(isIcmpError(Uint8Array.of(8), 1, 0), true);
});
