/** The demo reads packets off tcpdump's dump: this one was sent by flanneld 0.20.2. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { readTunnelledPacket } from '../../examples/demo/packet.js';

const DUMP = `08:19:47.772661 IP 198.18.0.11.8285 > 198.18.0.12.8285: UDP, length 84
	0x0000:  4a76 410f 64ff b2fd 9e62 8f0b 0800 4500  JvA.d....b....E.
	0x0010:  0070 d432 4000 4011 da0e c612 000b c612  .p.2@.@.........
	0x0020:  000c 205d 205d 005c 8ca9 4500 0054 4e7f  ...].].\\..E..TN.
	0x0030:  4000 3e01 7324 0a01 2802 0a01 3f02 0800  @.>.s$..(...?...
	0x0040:  7440 58a9 0001 a3a5 026b 0000 0000 37c8  t@X......k....7.
	0x0050:  0b00 0000 0000 616e 6e65 6c66 6c61 6e6e  ......annelflann
	0x0060:  656c 666c 616e 6e65 6c66 6c61 6e6e 656c  elflannelflannel
	0x0070:  666c 616e 6e65 6c66 6c61 6e6e 656c       flannelflannel`.split('\n');

test('reads the packet outside and the packet inside', () => {
  assert.deepEqual(readTunnelledPacket(DUMP), {
    outer: { protocol: 'UDP', source: '198.18.0.11', destination: '198.18.0.12' },
    udpDestinationPort: 8285,
    inner: { protocol: 'ICMP', source: '10.1.40.2', destination: '10.1.63.2' },
  });
});

test('says so when the dump is too short', () => {
  assert.throws(() => readTunnelledPacket(DUMP.slice(0, 3)), /Cannot read the packet: 32 bytes, too few/);
});
