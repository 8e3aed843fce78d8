import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { addressFromBits, parseAddress, parsePrefix, prefixOf } from '../../../src/model/address.js';
import {
  addressKey,
  dockerBridgeKey,
  dockerSettingsKey,
  fileKey,
  forwarderKey,
  leaseKey,
  linkKey,
  peerKey,
  routeKey,
  subnetKey,
  sysctlKey,
} from '../../../src/model/keys.js';

const ROUTE = { destination: parsePrefix('4.0.0.0/16'), table: 254, tos: 0, metric: 0 };
const IPV4 = parsePrefix('10.5.34.0/24');
const IPV6 = parsePrefix('fd00:1::/56');

for (const [key, want] of [
  [linkKey('flannel0'), 'link:flannel0'],
  [addressKey('flannel0', parseAddress('4.0.100.0'), 32), 'address:flannel0 4.0.100.0/32'],
  [sysctlKey('net.ipv4.ip_forward'), 'sysctl:net.ipv4.ip_forward'],
  [routeKey(ROUTE), 'route:4.0.0.0/16'],
  [routeKey({ ...ROUTE, table: 100 }), 'route:4.0.0.0/16 table 100'],
  [routeKey({ ...ROUTE, metric: 5, tos: 16, table: 7 }), 'route:4.0.0.0/16 table 7 tos 16 metric 5'],
  [forwarderKey('flannel0'), 'forwarder:flannel0'],
  [peerKey(IPV4), 'peer:10.5.34.0/24'],
  [fileKey('/run/flannel/subnet.env'), 'file:/run/flannel/subnet.env'],
  [leaseKey({ ipv4: IPV4 }), 'lease:10.5.34.0-24'],
  [dockerSettingsKey('/etc/docker/daemon.json'), 'docker-settings:/etc/docker/daemon.json'],
  [dockerBridgeKey('docker0'), 'docker-bridge:docker0'],
] as const) {
  test(`a name as people read it: ${want}`, () => assert.equal(key, want));
}

for (const { name, subnets, want } of [
  { name: 'IPv4 alone', subnets: { ipv4: IPV4 }, want: '10.5.34.0-24' },
  { name: 'both families', subnets: { ipv4: IPV4, ipv6: IPV6 }, want: '10.5.34.0-24&fd00:1::-56' },
  { name: 'IPv6 alone', subnets: { ipv6: IPV6 }, want: '0.0.0.0-0&fd00:1::-56' },
]) {
  test(`a subnet is called as flannel calls it: ${name}`, () => assert.equal(subnetKey(subnets), want));
}

const route = fc.record({
  destination: fc
    .tuple(fc.bigInt({ min: 0n, max: 0xffff_ffffn }), fc.integer({ min: 0, max: 32 }))
    .map(([bits, length]) => prefixOf(addressFromBits('ipv4', bits), length)),
  table: fc.constantFrom(1, 100, 253, 254, 4_294_967_295),
  tos: fc.constantFrom(0, 4, 16),
  metric: fc.constantFrom(0, 1, 1_024),
});

test('two routes that the kernel tells apart, if only by one number, have different names', () => {
  const field = fc.constantFrom('destination', 'table', 'tos', 'metric');
  fc.assert(
    fc.property(route, route, field, (one, other, name) => {
      const near = { ...one, [name]: other[name] };
      assert.equal(routeKey(near) === routeKey(one), near[name] === one[name]);
    }),
  );
});
