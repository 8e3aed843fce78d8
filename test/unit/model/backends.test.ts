import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { addressAt, contains, parseAddress, parsePrefix } from '../../../src/model/address.js';
import { BackendError } from '../../../src/model/backends/backend.js';
import { backendPlan } from '../../../src/model/backends/table.js';
import type { Lease } from '../../../src/model/lease.js';
import { linkAlias } from '../../../src/model/mark.js';

type BackendInput = Parameters<typeof backendPlan>[0];

const IPV4 = {
  cidr: parsePrefix('4.0.0.0/16'),
  subnetLength: 24,
  subnetMin: parseAddress('4.0.1.0'),
  subnetMax: parseAddress('4.0.255.0'),
};
const US = parseAddress('10.8.65.66');

const INPUT: BackendInput = {
  isDeclared: true,
  network: { ipv4: IPV4, backend: { type: 'udp', port: 8285 } },
  subnets: { ipv4: parsePrefix('4.0.100.0/24') },
  leases: [],
  host: {
    external: { name: 'eth0', mtu: 1500, ipv4: US, chosenBy: 'default route' },
    publicIps: { ipv4: US },
    reach: [{ prefix: parsePrefix('10.8.0.0/16'), direct: true }],
  },
  mtu: 'auto',
  dataplane: { workers: 1, sourceCheck: 'strict', offload: true, fastPath: false },
  instance: 'flannel0',
  requires: ['lease:4.0.100.0-24'],
};

function lease(subnet: string | undefined, publicIp: string | undefined, backendType = ''): Lease {
  return {
    subnets: subnet === undefined ? { ipv6: parsePrefix('fd00:1::/64') } : { ipv4: parsePrefix(subnet) },
    attributes: {
      publicIps: publicIp === undefined ? {} : { ipv4: parseAddress(publicIp) },
      backendType,
    },
    createRevision: 2n,
    modRevision: 2n,
    etcdLease: '7',
  };
}

test('udp carries packets in 28 bytes of headers: its MTU is that much less, unless the file says another', () => {
  assert.equal(backendPlan(INPUT).mtu, 1472);
  const { external } = INPUT.host;
  assert.equal(
    backendPlan({ ...INPUT, host: { ...INPUT.host, external: { ...external, mtu: 9000 } } }).mtu,
    8972,
  );
  const { mtu, objects } = backendPlan({ ...INPUT, mtu: 1300 });
  assert.deepEqual(
    [mtu, objects.link?.[0]?.state.mtu, objects.forwarder?.[0]?.state.mtu],
    [1300, 1300, 1300],
  );
});

test('udp needs its device for everything on it, the packet loop for a row, and the lease for all of it', () => {
  const { objects } = backendPlan({ ...INPUT, leases: [lease('4.0.32.0/24', '10.8.65.53')] });
  const [leased, link] = ['lease:4.0.100.0-24', 'link:flannel0'];
  assert.deepEqual(
    Object.entries(objects).flatMap(([kind, desired]) => desired.map(({ requires }) => [kind, requires])),
    [
      ['link', [leased]],
      ['sysctl', [link, leased]],
      ['address', [link, leased]],
      ['route', [link, leased]],
      ['forwarder', [link, leased]],
      ['peer', ['forwarder:flannel0', leased]],
    ],
  );
});

test('udp gives its device one address, the first of the subnet, and the whole network one route', () => {
  const { objects, devices } = backendPlan(INPUT);
  assert.deepEqual(
    objects.address?.map(({ key }) => key),
    ['address:flannel0 4.0.100.0/32'],
  );
  assert.deepEqual(
    objects.route?.map(({ key, state }) => [key, state.link]),
    [['route:4.0.0.0/16', 'flannel0']],
  );
  assert.deepEqual(devices, ['flannel0']);
});

test('udp binds where the other hosts send to: the address of the interface, not a public one before it', () => {
  const publicIp = parseAddress('203.0.113.9');
  const { objects } = backendPlan({ ...INPUT, host: { ...INPUT.host, publicIps: { ipv4: publicIp } } });
  const { bind, publicIp: known } = objects.forwarder?.[0]?.state ?? {};
  assert.deepEqual([bind, known], [{ address: US, port: 8285 }, publicIp]);
});

test('several workers need a device with several queues', () => {
  const { objects } = backendPlan({
    ...INPUT,
    dataplane: { workers: 2, sourceCheck: 'off', offload: false, fastPath: false },
  });
  assert.equal(objects.link?.[0]?.state.multiQueue, true);
  const { workers, sourceCheck } = objects.forwarder?.[0]?.state ?? {};
  assert.deepEqual([workers, sourceCheck], [2, 'off']);
});

for (const [offload, fastPath, told] of [
  [true, false, false],
  [false, true, true],
  [true, 'auto', 'auto'],
  [false, 'auto', false],
] as const) {
  test(`offload: ${offload} and fastPath: ${fastPath} of the file are fastPath: ${told} to the packet loop`, () => {
    const { objects } = backendPlan({ ...INPUT, dataplane: { ...INPUT.dataplane, offload, fastPath } });
    const { state } = objects.forwarder?.[0] ?? {};
    assert.deepEqual([state?.offload, state?.fastPath], [offload, told]);
  });
}

test('another instance is another device, with a mark of its own', () => {
  const { objects, devices } = backendPlan({ ...INPUT, instance: 'flan.nel' });
  assert.equal(objects.link?.[0]?.state.alias, linkAlias('flan.nel'));
  assert.notEqual(linkAlias('flan.nel'), linkAlias('flannel0'));
  assert.equal(
    objects.sysctl?.[0]?.state.name,
    'net.ipv4.conf.flan/nel.accept_local',
    'a dot would be a directory',
  );
  assert.deepEqual(devices, ['flan.nel']);
});

test('udp publishes nothing but the address: flannel knows it by the absence of a type', () => {
  assert.deepEqual(backendPlan(INPUT).lease, { backendType: '' });
});

test('every other host of the backend is a row, on the port of the network', () => {
  const network = { ...INPUT.network, backend: { type: 'udp', port: 9000 } } as const;
  const leases = [lease('4.0.32.0/24', '10.8.65.53'), lease('4.0.33.0/24', '10.8.65.54')];
  const { objects, ignored } = backendPlan({ ...INPUT, network, leases });
  assert.deepEqual(
    objects.peer?.map(({ key, state }) => [key, state.publicIp, state.port]),
    [
      ['peer:4.0.32.0/24', '10.8.65.53', 9000],
      ['peer:4.0.33.0/24', '10.8.65.54', 9000],
    ],
  );
  assert.deepEqual(ignored, []);
});

test('a lease that is of no use is left out with the reason, and the others are not', () => {
  const leases = [
    lease('4.0.32.0/24', '10.8.65.53', 'vxlan'),
    lease(undefined, '10.8.65.54'),
    lease('4.0.34.0/24', undefined),
    lease('4.0.35.0/24', '10.8.65.55'),
  ];
  const { objects, ignored } = backendPlan({ ...INPUT, leases });
  assert.deepEqual(
    objects.peer?.map(({ key }) => key),
    ['peer:4.0.35.0/24'],
  );
  assert.deepEqual(ignored, [
    { subnet: '4.0.32.0/24', reason: 'backend vxlan, ours is udp' },
    { subnet: undefined, reason: 'no IPv4 part' },
    { subnet: '4.0.34.0/24', reason: 'no IPv4 part' },
  ]);
});

test('what the store says of another backend reaches no terminal as a control character', () => {
  const leases = [lease('4.0.32.0/24', '10.8.65.53', '\u001b]0;x\u0007\n')];
  const { ignored } = backendPlan({ ...INPUT, leases });
  assert.equal(ignored[0]?.reason, 'backend \\u001b]0;x\\u0007\\u000a, ours is udp');
});

const { ipv4: _, ...withoutIpv4 } = INPUT.network;
const { ipv4: __, ...externalWithoutIpv4 } = INPUT.host.external;

for (const { name, change, reason } of [
  {
    name: 'a network without IPv4',
    change: { network: withoutIpv4 },
    reason: /^Cannot run backend udp: it carries IPv4 only/,
  },
  {
    name: 'a host without an IPv4 subnet',
    change: { subnets: { ipv6: parsePrefix('fd00:1::/64') } },
    reason: /^Cannot run backend udp: it carries IPv4 only/,
  },
  {
    name: 'an interface without an IPv4 address',
    change: { host: { ...INPUT.host, external: externalWithoutIpv4 } },
    reason: /^Cannot run backend udp: interface eth0 has no IPv4 address$/,
  },
  {
    name: 'a host without a public IPv4 address',
    change: { host: { ...INPUT.host, publicIps: {} } },
    reason: /^Cannot run backend udp: interface eth0 has no IPv4 address$/,
  },
] satisfies readonly { name: string; change: Partial<BackendInput>; reason: RegExp }[]) {
  test(`udp refuses ${name}`, () => {
    assert.throws(
      () => backendPlan({ ...INPUT, ...change }),
      (error) => error instanceof BackendError && reason.test(error.message),
    );
  });
}

test('wherever the subnet is, the address on the device is in it and the route leads over it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 255 }), (third) => {
      const subnet = parsePrefix(`4.0.${third}.0/24`);
      const { objects } = backendPlan({ ...INPUT, subnets: { ipv4: subnet } });
      const address = objects.address?.[0]?.state.address;
      const route = objects.route?.[0]?.state;
      assert.ok(address && route);
      assert.equal(address, addressAt(subnet, 0n));
      assert.ok(contains(subnet, address) && contains(route.destination, address));
    }),
  );
});
