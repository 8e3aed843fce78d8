import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayAnswer } from '../../../src/dataplane/icmp-answer.js';
import { ICMP, icmpOf, packetOf } from '../../fakes/packets.js';

// RFC 1122, section 3.2.2, line by line.
for (const { about, packet, want } of [
  { about: 'a UDP packet', packet: packetOf(), want: true },
  { about: 'TCP', packet: packetOf({ protocol: 6 }), want: true },
  { about: 'an echo request', packet: packetOf({ protocol: ICMP, payload: icmpOf(8) }), want: true },
  { about: 'an echo reply', packet: packetOf({ protocol: ICMP, payload: icmpOf(0) }), want: true },
  { about: 'time exceeded', packet: packetOf({ protocol: ICMP, payload: icmpOf(11) }), want: false },
  { about: 'net unreachable', packet: packetOf({ protocol: ICMP, payload: icmpOf(3) }), want: false },
  {
    about: 'ICMP without its type',
    packet: packetOf({ protocol: ICMP, payload: new Uint8Array() }),
    want: false,
  },
  {
    about: 'net unreachable behind options',
    packet: packetOf({ protocol: ICMP, options: new Uint8Array(8).fill(1), payload: icmpOf(3) }),
    want: false,
  },
  { about: 'the first fragment', packet: packetOf({ fragment: 0x2000 }), want: true },
  { about: 'a later fragment', packet: packetOf({ fragment: 0x2001 }), want: false },
  { about: 'the last fragment', packet: packetOf({ fragment: 0x00b9 }), want: false },
  { about: 'multicast', packet: packetOf({ destination: '224.0.0.22' }), want: false },
  { about: 'the limited broadcast', packet: packetOf({ destination: '255.255.255.255' }), want: false },
  { about: 'a packet from 0.0.0.0', packet: packetOf({ source: '0.0.0.0' }), want: false },
  { about: 'a packet from loopback', packet: packetOf({ source: '127.0.0.1' }), want: false },
  { about: 'a packet from multicast', packet: packetOf({ source: '239.1.2.3' }), want: false },
  { about: 'a packet from the broadcast', packet: packetOf({ source: '255.255.255.255' }), want: false },
]) {
  test(`${want ? 'answers' : 'is silent'} about ${about}`, () => {
    assert.equal(mayAnswer(packet, packet.length), want);
  });
}
