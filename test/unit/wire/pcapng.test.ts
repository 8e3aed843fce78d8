import assert from 'node:assert/strict';
import test from 'node:test';
import { interfaceBlock, packetBlock, sectionBlock, statisticsBlock } from '../../../src/wire/pcapng.js';

/** The bytes of `lines` of hexadecimal digits; what follows a semicolon says what they are. */
function bytesOf(...lines: readonly string[]): string {
  return lines.map((line) => line.replace(/;.*/, '').replaceAll(' ', '')).join('');
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('a section begins with the byte order, and names the program', () => {
  assert.equal(
    hex(sectionBlock('abcde')),
    bytesOf(
      '0a0d0d0a 2c000000 ; type, length',
      '4d3c2b1a 0100 0000 ; byte order, version 1.0',
      'ffffffff ffffffff ; length of the section: not known',
      '0400 0500 6162636465 000000 ; shb_userappl, filled up',
      '0000 0000 2c000000 ; end of options, length',
    ),
  );
});

test('an interface has raw IP packets', () => {
  assert.equal(
    hex(interfaceBlock({ name: 'tun0', description: 'abcd', snapBytes: 256 })),
    bytesOf(
      '01000000 28000000 6500 0000 00010000 ; type, length, LINKTYPE_RAW, reserved, snap length',
      '0200 0400 74756e30 0300 0400 61626364 ; if_name, if_description',
      '0000 0000 28000000',
    ),
  );
});

test('a packet has its time, both lengths, its comment and its direction', () => {
  const packet = {
    interfaceNumber: 1,
    atMs: 1_795_000_000_000.25,
    direction: 'in',
    lengthBytes: 84,
    bytes: Uint8Array.of(0x45, 0, 0, 84, 7),
    comment: 'hey',
  } as const;
  assert.equal(
    hex(packetBlock(packet)),
    bytesOf(
      '06000000 3c000000 01000000 ; type, length, interface',
      '8b600600 fa305f01 ; 1795000000000250 microseconds, the high half first',
      '05000000 54000000 4500005407 000000 ; kept, length, bytes, filled up',
      '0100 0300 686579 00 0200 0400 01000000 ; opt_comment, epb_flags: inbound',
      '0000 0000 3c000000',
    ),
  );
  assert.match(hex(packetBlock({ ...packet, direction: 'out' })), /0200040002000000/);
});

test('statistics say how many packets there were and how many are missing', () => {
  const statistics = { interfaceNumber: 0, startMs: 1, endMs: 2, received: 2 ** 32 + 7, dropped: 3 };
  assert.equal(
    hex(statisticsBlock(statistics)),
    bytesOf(
      '05000000 4c000000 00000000 00000000 d0070000 ; type, length, interface, time',
      '0200 0800 00000000 e8030000 0300 0800 00000000 d0070000 ; isb_starttime, isb_endtime',
      '0400 0800 07000000 01000000 0500 0800 03000000 00000000 ; isb_ifrecv, isb_ifdrop',
      '0000 0000 4c000000',
    ),
  );
});
