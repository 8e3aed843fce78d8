import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Address,
  addressFromBits,
  bitsOf,
  overlaps,
  type Prefix,
  prefixOf,
} from '../../../src/model/address.js';
import { type AllocationInput, plannedSubnets } from '../../../src/model/allocation.js';
import type { Lease, Subnets } from '../../../src/model/lease.js';
import type { NetworkConfig } from '../../../src/model/network.js';
import { familyNetwork, subnetMisfit } from '../../../src/model/network-rules.js';

const NETWORK = network('10.5.0.0/16');
const US = '192.0.2.1' as Address;

function network(ipv4: string, subnetLength?: number, subnetMin?: string, subnetMax?: string): NetworkConfig {
  const result = familyNetwork({
    cidr: ipv4 as Prefix,
    subnetLength,
    subnetMin: subnetMin as Address | undefined,
    subnetMax: subnetMax as Address | undefined,
  });
  assert.ok('network' in result, JSON.stringify(result));
  return { ipv4: result.network, backend: { type: 'udp', port: 8285 } };
}

function lease(subnet: string, publicIp: string, revision = 5, etcdLease = '7'): Lease {
  return {
    subnets: { ipv4: subnet as Prefix },
    attributes: { publicIps: { ipv4: publicIp as Address }, backendType: '' },
    createRevision: BigInt(revision),
    modRevision: BigInt(revision),
    etcdLease,
  };
}

function plan(leases: readonly Lease[], more: Partial<AllocationInput> = {}) {
  const taken = leases.flatMap(({ subnets }) => (subnets.ipv4 === undefined ? [] : [subnets.ipv4]));
  return plannedSubnets({ network: NETWORK, publicIps: { ipv4: US }, leases, taken, ...more });
}

function planned(leases: readonly Lease[], more?: Partial<AllocationInput>) {
  const result = plan(leases, more);
  assert.ok('subnets' in result, 'error' in result ? result.error : '');
  return result;
}

function refused(leases: readonly Lease[], more?: Partial<AllocationInput>): string {
  const result = plan(leases, more);
  assert.ok('error' in result, 'a subnet was planned');
  return result.error;
}

const ours = lease('10.5.34.0/24', US);
const previous = { ipv4: '10.5.77.0/24' as Prefix };
const pinned = { ipv4: '10.5.9.0/24' as Prefix };

test('keeps the lease that carries our public address, whatever the previous subnet', () => {
  assert.deepEqual(planned([lease('10.5.1.0/24', '192.0.2.9'), ours], { previous }), {
    subnets: { ipv4: '10.5.34.0/24' },
    why: 'own lease',
    misfits: [],
  });
});

test('calls a lease that never expires a reservation', () => {
  assert.equal(planned([lease('10.5.34.0/24', US, 5, '0')]).why, 'reservation');
});

test('keeps the oldest of two leases of ours', () => {
  const leases = [ours, lease('10.5.12.0/24', US, 3), lease('10.5.13.0/24', US, 9)];
  assert.equal(planned(leases).subnets.ipv4, '10.5.12.0/24');
});

test('gives up a lease of ours that does not fit, and says why', () => {
  const tooLong = lease('10.5.34.0/25', US);
  const { subnets, why, misfits } = planned([tooLong]);
  assert.equal(why, 'allocated');
  assert.ok(!overlaps(subnets.ipv4 as Prefix, '10.5.34.0/25' as Prefix));
  assert.deepEqual(misfits, [{ lease: tooLong, reason: '10.5.34.0/25: length is 25, must be 24' }]);
});

test('takes the pinned subnet, and gives up another one for it', () => {
  assert.deepEqual(planned([], { pinned }), { subnets: pinned, why: 'pinned', misfits: [] });
  const moved = planned([ours], { pinned, previous });
  assert.deepEqual([moved.subnets.ipv4, moved.why], [pinned.ipv4, 'pinned']);
  assert.equal(moved.misfits[0]?.reason, 'holds 10.5.34.0/24, pinned is 10.5.9.0/24');
  assert.equal(planned([lease(pinned.ipv4, US)], { pinned }).why, 'own lease');
});

test('takes a pinned subnet inside one of ours that it gives up', () => {
  const narrower = network('10.5.0.0/16', 25);
  const old = lease('10.5.9.0/24', US);
  const result = planned([old], { network: narrower, pinned: { ipv4: '10.5.9.0/25' as Prefix } });
  assert.equal(result.subnets.ipv4, '10.5.9.0/25');
  assert.equal(result.misfits[0]?.lease, old);
});

test('refuses a pinned subnet that is held, misplaced or of the wrong family', () => {
  assert.match(refused([lease(pinned.ipv4, '192.0.2.9')], { pinned }), /192.0.2.9 holds 10.5.9.0\/24$/);
  assert.match(
    refused([], { pinned, taken: ['10.5.9.0/25' as Prefix] }),
    /an unreadable lease holds 10.5.9.0\/25$/,
  );
  assert.match(
    refused([], { pinned: { ipv4: '10.6.9.0/24' as Prefix } }),
    /does not fit the network: outside/,
  );
  assert.match(
    refused([], { pinned: { ipv6: 'fd00::/64' as Prefix } }),
    /family that the network does not have/,
  );
});

test('takes the previous subnet if it fits and nobody holds any of it', () => {
  assert.equal(planned([], { previous }).why, 'previous subnet');
  assert.equal(planned([], { previous }).subnets.ipv4, previous.ipv4);
  assert.equal(planned([], { previous: { ipv4: '10.6.77.0/24' as Prefix } }).why, 'allocated');
  assert.equal(planned([], { previous: { ipv4: '10.5.77.0/25' as Prefix } }).why, 'allocated');
  assert.equal(planned([lease(previous.ipv4, '192.0.2.9')], { previous }).why, 'allocated');
  assert.equal(planned([], { previous, taken: ['10.5.77.128/25' as Prefix] }).why, 'allocated');
});

test('is out of subnets only when every one is taken', () => {
  const small = network('10.5.0.0/16', 24, '10.5.1.0', '10.5.3.0');
  const others = ['10.5.1.0/24', '10.5.3.0/24'].map((subnet) => lease(subnet, '192.0.2.9'));
  assert.equal(planned(others, { network: small }).subnets.ipv4, '10.5.2.0/24');
  assert.equal(
    refused([...others, lease('10.5.2.64/26', '192.0.2.8')], { network: small }),
    'out of subnets: every /24 from 10.5.1.0 to 10.5.3.0 is taken',
  );
});

test('a key wider than the network blocks nobody', () => {
  assert.equal(planned([], { taken: ['0.0.0.0/1' as Prefix] }).why, 'allocated');
});

test('refuses a public address that the other hosts could not use', () => {
  for (const [address, want] of [
    ['127.0.0.1', /loopback/],
    ['10.5.3.1', /inside the network/],
    [undefined, /no public IPv4 address/],
  ] as const) {
    assert.match(refused([], { publicIps: address === undefined ? {} : { ipv4: address as Address } }), want);
  }
});

test('tells hosts of a network without IPv4 apart by their IPv6 address', () => {
  const result = familyNetwork({ cidr: 'fd00:5::/48' as Prefix });
  assert.ok('network' in result);
  const ipv6Only: NetworkConfig = { ipv6: result.network, backend: { type: 'udp', port: 8285 } };
  const subnets: Subnets = { ipv6: 'fd00:5:0:7::/64' as Prefix };
  const publicIps = { ipv6: '2001:db8::1' as Address };
  const own: Lease = { ...ours, subnets, attributes: { publicIps, backendType: '' } };
  const other: Lease = {
    ...own,
    subnets: { ipv6: 'fd00:5:0:8::/64' as Prefix },
    attributes: { publicIps: { ipv6: '2001:db8::2' as Address }, backendType: '' },
    createRevision: 1n,
  };
  assert.deepEqual(planned([other, own], { network: ipv6Only, publicIps }).subnets, subnets);
  const fresh = planned([other], { network: ipv6Only, publicIps, taken: [other.subnets.ipv6 as Prefix] });
  assert.equal(fresh.why, 'allocated');
  assert.equal(subnetMisfit(result.network, fresh.subnets.ipv6 as Prefix), undefined);
  // The same host in dual stack needs both.
  const dual: NetworkConfig = { ...NETWORK, ipv6: result.network };
  const both = planned([ours], { network: dual, publicIps: { ipv4: US, ...publicIps } });
  assert.deepEqual(Object.keys(both.subnets), ['ipv4', 'ipv6']);
  assert.equal(both.misfits[0]?.reason, 'has no IPv6 subnet');
});

const SUBNET_OF_NETWORK = fc
  .tuple(fc.nat(0xffff), fc.integer({ min: 18, max: 30 }))
  .map(([bits, length]) =>
    prefixOf(addressFromBits('ipv4', (10n << 24n) + (5n << 16n) + BigInt(bits)), length),
  );
const LEASES = fc.array(
  fc
    .tuple(SUBNET_OF_NETWORK, fc.integer({ min: 2, max: 250 }), fc.nat(1000))
    .map(([subnet, host, revision]) => lease(subnet, `192.0.2.${host}`, revision)),
  { maxLength: 60 },
);

test('an allocation fits the network and overlaps nothing', () => {
  fc.assert(
    fc.property(LEASES, fc.option(SUBNET_OF_NETWORK, { nil: undefined }), (leases, previous) => {
      const result = plan(leases, previous === undefined ? {} : { previous: { ipv4: previous } });
      if ('error' in result) {
        // Then there is none: every subnet from first to last is overlapped.
        for (let third = 1; third <= 255; third++) {
          const subnet = `10.5.${third}.0/24` as Prefix;
          assert.ok(leases.some(({ subnets }) => overlaps(subnets.ipv4 as Prefix, subnet)));
        }
        return;
      }
      const subnet = result.subnets.ipv4 as Prefix;
      assert.ok(NETWORK.ipv4);
      assert.equal(subnetMisfit(NETWORK.ipv4, subnet), undefined);
      for (const { subnets } of leases) assert.ok(!overlaps(subnets.ipv4 as Prefix, subnet));
    }),
    { numRuns: 300 },
  );
});

test('an allocation is one of the first hundred free subnets', () => {
  fc.assert(
    fc.property(LEASES, fc.nat(5), (leases, attempt) => {
      const result = plan(leases, { attempt });
      if ('error' in result) return;
      const chosen = bitsOf(result.subnets.ipv4 as Prefix);
      let before = 0;
      for (let third = 1; third <= 255; third++) {
        const subnet = `10.5.${third}.0/24` as Prefix;
        const isFree = !leases.some(({ subnets }) => overlaps(subnets.ipv4 as Prefix, subnet));
        if (isFree && bitsOf(subnet) < chosen) before++;
      }
      assert.ok(before < 100, `${before} free subnets lie before ${result.subnets.ipv4}`);
    }),
  );
});

test('the order of the leases does not matter', () => {
  fc.assert(
    fc.property(
      LEASES.chain((leases) =>
        fc.tuple(fc.constant(leases), fc.shuffledSubarray(leases, { minLength: leases.length })),
      ),
      ([leases, shuffled]) => assert.deepEqual(plan(shuffled), plan(leases)),
    ),
  );
});

test('hosts spread over the candidates, and a second attempt is another one', () => {
  const hosts = Array.from({ length: 100 }, (_, index) => `198.51.100.${index + 1}` as Address);
  const choice = (ipv4: Address, attempt: number) =>
    planned([], { publicIps: { ipv4 }, attempt }).subnets.ipv4;
  // A hundred balls in a hundred bins fill 63 on average.
  assert.ok(new Set(hosts.map((host) => choice(host, 0))).size >= 50);
  assert.ok(hosts.filter((host) => choice(host, 0) === choice(host, 1)).length <= 10);
});

test('the choice is the same in every release', () => {
  assert.equal(planned([]).subnets.ipv4, '10.5.33.0/24');
});
