/** vxlan, host-gw and extension beyond what the golden plans show. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { addressFromBits, parseAddress, parsePrefix } from '../../../src/model/address.js';
import { BackendError } from '../../../src/model/backends/backend.js';
import { backendPlan } from '../../../src/model/backends/table.js';
import { macIn, vtepMac } from '../../../src/model/backends/vtep.js';
import type { JsonValue, Lease } from '../../../src/model/lease.js';

type Input = Parameters<typeof backendPlan>[0];

const VXLAN = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  gbp: false,
  learning: false,
  directRouting: false,
  txChecksumOffload: 'auto',
};
const IPV4 = {
  cidr: parsePrefix('4.0.0.0/16'),
  subnetLength: 24,
  subnetMin: parseAddress('4.0.1.0'),
  subnetMax: parseAddress('4.0.255.0'),
};
const IPV6 = {
  cidr: parsePrefix('fd00:1::/48'),
  subnetLength: 64,
  subnetMin: parseAddress('fd00:1:0:1::'),
  subnetMax: parseAddress('fd00:1:0:ffff::'),
};
const [US, US6] = [parseAddress('10.8.65.66'), parseAddress('2001:db8::66')];

const INPUT: Input = {
  isDeclared: true,
  network: { ipv4: IPV4, backend: VXLAN },
  subnets: { ipv4: parsePrefix('4.0.100.0/24') },
  leases: [],
  host: {
    external: { name: 'eth0', mtu: 1500, ipv4: US, ipv6: US6, chosenBy: 'default route' },
    publicIps: { ipv4: US, ipv6: US6 },
    reach: [
      { prefix: parsePrefix('10.8.0.0/16'), direct: true },
      { prefix: parsePrefix('10.8.77.0/24'), direct: false },
      { prefix: parsePrefix('2001:db8::/64'), direct: true },
    ],
  },
  mtu: 'auto',
  dataplane: { workers: 1, sourceCheck: 'strict', offload: true, fastPath: false },
  instance: 'flannel0',
  requires: [],
};

function lease(publicIp: string, subnet: string, backendType: string, backendData?: JsonValue): Lease {
  return {
    subnets: { ipv4: parsePrefix(subnet) },
    attributes: {
      publicIps: { ipv4: parseAddress(publicIp) },
      backendType,
      ...(backendData !== undefined && { backendData }),
    },
    createRevision: 2n,
    modRevision: 2n,
    etcdLease: '7',
  };
}

const NEAR = lease('10.8.65.53', '4.0.32.0/24', 'vxlan', { VNI: 1, VtepMAC: '6e:2d:41:e6:74:de' });
const FAR = lease('192.0.2.9', '4.0.33.0/24', 'vxlan', { vni: 1, vtepmac: '6E-2D-41-E6-74-DF' });

test('a lease of ours decides the MAC, also one of flannel; without one it follows from the public address', () => {
  const macOf = (ownLease?: Lease) =>
    backendPlan({ ...INPUT, ...(ownLease && { ownLease }) }).objects.link?.[0]?.state.vxlan?.mac;
  const own = (type: string, mac: string) => lease('10.8.65.66', '4.0.100.0/24', type, { VtepMAC: mac });
  assert.equal(macOf(), '66:6c:0a:08:41:42');
  assert.equal(macOf(own('vxlan', '4a:bf:cc:19:5a:57')), '4a:bf:cc:19:5a:57');
  assert.equal(macOf(own('vxlan', '01:00:5e:00:00:01')), '66:6c:0a:08:41:42', 'no host has that one');
  assert.equal(macOf(own('wireguard', '4a:bf:cc:19:5a:57')), '66:6c:0a:08:41:42');
});

test('two hosts have two MACs, each of one host and locally administered', () => {
  const address = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((bits) => addressFromBits('ipv4', bits)),
    fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((bits) => addressFromBits('ipv6', bits)),
  );
  fc.assert(
    fc.property(address, address, (one, other) => {
      const mac = vtepMac(one);
      assert.match(mac, /^66(:[0-9a-f]{2}){5}$/);
      assert.equal(macIn({ VtepMAC: mac }), mac);
      assert.equal(mac === vtepMac(other), one === other);
    }),
  );
});

test('a MAC is read in every spelling that Go takes', () => {
  for (const text of ['6e:2d:41:e6:74:de', '6E-2D-41-E6-74-DE', '6e2d.41e6.74de']) {
    assert.equal(macIn({ VTEPMAC: text }), '6e:2d:41:e6:74:de');
  }
  for (const data of [undefined, null, 'x', [], {}, { VtepMAC: 7 }, { VtepMAC: '6e:2d:41:e6:74' }]) {
    assert.equal(macIn(data), undefined);
  }
  assert.equal(macIn({ VtepMAC: '00:00:00:00:00:00' }), undefined);
});

test('the MTU leaves room for the outer header of either family; an operator may say another underlay or another whole', () => {
  const dual: Input = {
    ...INPUT,
    network: { ipv4: IPV4, ipv6: IPV6, backend: VXLAN },
    subnets: { ipv4: parsePrefix('4.0.100.0/24'), ipv6: parsePrefix('fd00:1:0:7::/64') },
  };
  const { mtu, objects, lease: published } = backendPlan(dual);
  assert.equal(mtu, 1430);
  assert.deepEqual(
    objects.link?.map(({ state }) => [state.name, state.mtu, state.vxlan?.local]),
    [
      ['flannel.1', 1450, US],
      ['flannel-v6.1', 1430, US6],
    ],
  );
  assert.equal(macIn(published.backendV6Data), vtepMac(US6));
  const jumbo = { ...INPUT, network: { ipv4: IPV4, backend: { ...VXLAN, mtu: 9000 } } };
  assert.equal(backendPlan(jumbo).mtu, 8950);
  assert.equal(backendPlan({ ...INPUT, mtu: 1300 }).objects.link?.[0]?.state.mtu, 1300);
});

test('with direct routing a host on the link is sent to unwrapped, and one behind a gateway is not', () => {
  const network = { ipv4: IPV4, backend: { ...VXLAN, directRouting: true } };
  const routed = lease('10.8.77.5', '4.0.34.0/24', 'vxlan', { VtepMAC: '6e:00:00:00:00:01' });
  const { objects, entrances } = backendPlan({ ...INPUT, network, leases: [NEAR, FAR, routed] });
  assert.deepEqual(
    objects.route?.map(({ state }) => [state.destination, state.via, state.link, state.onlink]),
    [
      ['4.0.32.0/24', '10.8.65.53', 'eth0', false],
      ['4.0.33.0/24', '4.0.33.0', 'flannel.1', true],
      ['4.0.34.0/24', '4.0.34.0', 'flannel.1', true],
    ],
  );
  assert.deepEqual(
    objects.fdb?.map(({ state }) => state.mac),
    ['6e:2d:41:e6:74:df', '6e:00:00:00:00:01'],
  );
  assert.deepEqual(entrances, ['flannel.1', 'eth0']);
});

test('a MAC of several hosts is that of the oldest, in whichever order the leases come', () => {
  const mac = { VtepMAC: '6e:00:00:00:00:01' };
  const young: Lease = { ...lease('192.0.2.8', '4.0.32.0/24', 'vxlan', mac), createRevision: 9n };
  const old: Lease = { ...lease('192.0.2.9', '4.0.33.0/24', 'vxlan', mac), createRevision: 3n };
  const other: Lease = { ...lease('192.0.2.7', '4.0.34.0/24', 'vxlan', mac), createRevision: 5n };
  const reason = 'its VtepMAC 6e:00:00:00:00:01 is that of 4.0.33.0/24 too';
  for (const leases of [
    [young, old, other],
    [old, young, other],
    [other, young, old],
  ]) {
    const { objects, ignored } = backendPlan({ ...INPUT, leases });
    assert.deepEqual(
      objects.fdb?.map(({ state }) => state.destination),
      ['192.0.2.9'],
    );
    assert.deepEqual(
      new Map(ignored.map(({ subnet, reason: why }) => [subnet, why])),
      new Map([
        ['4.0.32.0/24', reason],
        ['4.0.34.0/24', reason],
      ]),
    );
  }
});

test('behind a NAT the tunnel leaves by the interface’s own address', () => {
  const host = { ...INPUT.host, publicIps: { ipv4: parseAddress('203.0.113.9') } };
  const { vxlan } = backendPlan({ ...INPUT, host }).objects.link?.[0]?.state ?? {};
  assert.deepEqual([vxlan?.local, vxlan?.mac], [US, vtepMac(parseAddress('203.0.113.9'))]);
});

test('host-gw refuses a public address that is not the interface’s, and names a host that is not on the link', () => {
  const network = { ipv4: IPV4, backend: { type: 'host-gw' } };
  const behindNat = { ...INPUT.host, publicIps: { ipv4: parseAddress('203.0.113.9') } };
  assert.throws(
    () => backendPlan({ ...INPUT, network, host: behindNat }),
    (error) => error instanceof BackendError && /203\.0\.113\.9.*eth0 \(10\.8\.65\.66\)/.test(error.message),
  );
  const leases = [
    lease('10.8.65.53', '4.0.32.0/24', 'host-gw'),
    lease('192.0.2.9', '4.0.33.0/24', 'host-gw'),
    FAR,
  ];
  const { objects, ignored, mtu } = backendPlan({ ...INPUT, network, leases });
  assert.equal(mtu, 1500);
  assert.deepEqual(
    objects.route?.map(({ key }) => key),
    ['route:4.0.32.0/24'],
  );
  assert.deepEqual(ignored, [
    {
      subnet: '4.0.33.0/24',
      reason: '192.0.2.9 is not on the link of interface eth0, which host-gw needs',
    },
    { subnet: '4.0.33.0/24', reason: 'backend vxlan, ours is host-gw' },
  ]);
});

test('what an extension publishes reaches the others’ commands in both families', () => {
  const backend = {
    type: 'extension',
    subnetAddCommand: ['overlay', 'add'],
    shell: false,
    timeoutSeconds: 10,
  };
  const { attributes, ...rest } = lease('10.8.65.53', '4.0.32.0/24', 'extension', 'XyZ=');
  const peer: Lease = {
    ...rest,
    subnets: { ...rest.subnets, ipv6: parsePrefix('fd00:1:0:8::/64') },
    attributes: { ...attributes, publicIps: { ...attributes.publicIps, ipv6: parseAddress('2001:db8::53') } },
  };
  const { objects } = backendPlan({
    ...INPUT,
    network: { ipv4: IPV4, ipv6: IPV6, backend },
    subnets: { ...INPUT.subnets, ipv6: parsePrefix('fd00:1:0:7::/64') },
    leases: [peer],
  });
  assert.deepEqual(
    objects.command?.map(({ key, state }) => [key, state.run?.input]),
    [
      ['command:4.0.32.0/24', 'XyZ=\n'],
      ['command:fd00:1:0:8::/64', 'XyZ=\n'],
    ],
  );
});
