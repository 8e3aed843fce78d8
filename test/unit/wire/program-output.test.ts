import assert from 'node:assert/strict';
import test from 'node:test';
import { listenerOf, mountsOf, routingRules, udpChecksumErrors } from '../../../src/wire/program-output.js';

test('rules of routing are read from ip', () => {
  const json = `[{"priority":0,"src":"all","table":"local"},
    {"priority":100,"src":"all","dst":"4.0.0.0","dstlen":16,"table":"100"},
    {"priority":101,"src":"all","dst":"4.0.1.1","table":"main"},
    {"priority":102,"src":"all","action":"blackhole"}]`;
  assert.deepEqual(routingRules(json), [
    { priority: 0, table: 'local' },
    { priority: 100, table: '100', to: '4.0.0.0/16' },
    { priority: 101, table: 'main', to: '4.0.1.1/32' },
  ]);
});

test('who listens is read from ss', () => {
  const line = 'UNCONN 0 0 10.8.65.1:8285 0.0.0.0:* users:(("node",pid=81,fd=18))\n';
  assert.deepEqual(listenerOf(line), { program: 'node', pid: 81 });
  assert.deepEqual(listenerOf('UNCONN 0 0 0.0.0.0:8472 0.0.0.0:*\n'), {}, 'the kernel itself');
  assert.equal(listenerOf('\n'), undefined);
});

test('mounts are read with their blanks, and are read-only by either of their options', () => {
  const info = [
    '21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '22 21 0:20 / /run/a\\040b ro,nosuid - tmpfs tmpfs rw',
    '23 21 0:21 / /var rw - ext4 /dev/sdb1 ro,errors=remount-ro',
    '',
  ].join('\n');
  assert.deepEqual(mountsOf(info), [
    { path: '/', isReadOnly: false },
    { path: '/run/a b', isReadOnly: true },
    { path: '/var', isReadOnly: true },
  ]);
});

test('checksum errors are found by name', () => {
  const snmp = 'Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors InCsumErrors\nUdp: 10 0 3 3\n';
  assert.equal(udpChecksumErrors(snmp), 3);
  assert.equal(udpChecksumErrors('Udp: InDatagrams\nUdp: 10\n'), 0, 'an old kernel counts none');
});
