/** Subnets of a host whose network has IPv6, alone or beside IPv4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Address,
  addressFromBits,
  FAMILIES,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
} from '../../../src/model/address.js';
import { type AllocationInput, plannedSubnets } from '../../../src/model/allocation.js';
import type { Lease, PublicIps, Subnets } from '../../../src/model/lease.js';
import { prefixesOf, withoutOverlaps } from '../../../src/model/lease-overlaps.js';
import type { FamilyNetwork, NetworkConfig } from '../../../src/model/network.js';
import { familyNetwork, subnetMisfit } from '../../../src/model/network-rules.js';

const US: Required<PublicIps> = { ipv4: parseAddress('192.0.2.1'), ipv6: parseAddress('2001:db8::1') };
const THEM: Required<PublicIps> = { ipv4: parseAddress('192.0.2.9'), ipv6: parseAddress('2001:db8::9') };
const backend = { type: 'udp', port: 8285 } as const;
const IPV4: NetworkConfig = { ipv4: family('10.5.0.0/16'), backend };
const DUAL: NetworkConfig = { ipv4: family('10.5.0.0/16'), ipv6: family('fd00:5::/48'), backend };
const IPV6: NetworkConfig = { ipv6: family('fd00:5::/48'), backend };

function family(cidr: string): FamilyNetwork {
  const result = familyNetwork({ cidr: parsePrefix(cidr) });
  assert.ok('network' in result);
  return result.network;
}

function subnets(ipv4?: string, ipv6?: string): Subnets {
  return { ...(ipv4 && { ipv4: parsePrefix(ipv4) }), ...(ipv6 && { ipv6: parsePrefix(ipv6) }) };
}

function lease(held: Subnets, publicIps: PublicIps, revision = 5): Lease {
  return {
    subnets: held,
    attributes: { publicIps, backendType: '' },
    createRevision: BigInt(revision),
    modRevision: BigInt(revision),
    etcdLease: '7',
  };
}

/** What `network` makes of this host's addresses: only those of its own families are published. */
function plan(network: NetworkConfig, leases: readonly Lease[], more: Partial<AllocationInput> = {}) {
  const publicIps = { ...(network.ipv4 && { ipv4: US.ipv4 }), ...(network.ipv6 && { ipv6: US.ipv6 }) };
  const taken = leases.flatMap((held) => prefixesOf(held.subnets));
  return plannedSubnets({ network, publicIps, leases, taken, ...more });
}

function planned(network: NetworkConfig, leases: readonly Lease[], more?: Partial<AllocationInput>) {
  const result = plan(network, leases, more);
  assert.ok('subnets' in result, 'error' in result ? result.error : '');
  return result;
}

test('a host gets a subnet in each family of the network, the same in every release', () => {
  assert.deepEqual(planned(DUAL, []).subnets, { ipv4: '10.5.33.0/24', ipv6: 'fd00:5:0:21::/64' });
  assert.deepEqual(planned(IPV6, []).subnets, { ipv6: planned(IPV6, []).subnets.ipv6 });
});

test('a host of a network of IPv6 alone is known by its IPv6 address, not by the 0.0.0.0 that all of them carry', () => {
  const ours = lease(subnets(undefined, 'fd00:5:0:7::/64'), { ipv6: US.ipv6 });
  const theirs = lease(subnets(undefined, 'fd00:5:0:8::/64'), { ipv6: THEM.ipv6 }, 3);
  assert.deepEqual(planned(IPV6, [theirs, ours]), { subnets: ours.subnets, why: 'own lease', misfits: [] });
  assert.notEqual(planned(IPV6, [theirs]).subnets.ipv6, theirs.subnets.ipv6);
});

test('of two families the IPv4 address is who a host is', () => {
  const ours = lease(subnets('10.5.34.0/24', 'fd00:5:0:7::/64'), { ipv4: US.ipv4, ipv6: THEM.ipv6 });
  assert.equal(planned(DUAL, [ours]).why, 'own lease');
  const theirs = lease(subnets('10.5.34.0/24', 'fd00:5:0:7::/64'), { ipv4: THEM.ipv4, ipv6: US.ipv6 });
  const other = planned(DUAL, [theirs]);
  assert.equal(other.why, 'allocated');
  assert.ok(prefixesOf(other.subnets).every((subnet) => !prefixesOf(theirs.subnets).includes(subnet)));
});

for (const { name, from, to, held, publicIps, kept } of [
  {
    name: 'gains IPv6',
    from: IPV4,
    to: DUAL,
    held: subnets('10.5.34.0/24'),
    publicIps: { ipv4: US.ipv4 },
    kept: 'ipv4',
  },
  {
    name: 'gains IPv4',
    from: IPV6,
    to: DUAL,
    held: subnets(undefined, 'fd00:5:0:7::/64'),
    publicIps: { ipv6: US.ipv6 },
    kept: 'ipv6',
  },
  {
    name: 'loses IPv6',
    from: DUAL,
    to: IPV4,
    held: subnets('10.5.34.0/24', 'fd00:5:0:7::/64'),
    publicIps: US,
    kept: 'ipv4',
  },
  {
    name: 'loses IPv4',
    from: DUAL,
    to: IPV6,
    held: subnets('10.5.34.0/24', 'fd00:5:0:7::/64'),
    publicIps: US,
    kept: 'ipv6',
  },
] as const) {
  test(`a network that ${name} moves no container in the family that stays`, () => {
    const before = lease(held, publicIps);
    assert.equal(planned(from, [before]).why, 'own lease');
    const after = planned(to, [before]);
    assert.equal(after.subnets[kept], held[kept]);
    assert.deepEqual(
      after.misfits.map(({ lease }) => lease),
      [before],
    );
    for (const each of FAMILIES) assert.equal(after.subnets[each] !== undefined, to[each] !== undefined);
  });
}

test('a pin in one family leaves the subnet of the other where it is', () => {
  const ours = lease(subnets('10.5.34.0/24', 'fd00:5:0:7::/64'), US);
  const pinned = subnets(undefined, 'fd00:5:0:99::/64');
  const { subnets: moved, misfits } = planned(DUAL, [ours], { pinned });
  assert.deepEqual(moved, { ipv4: '10.5.34.0/24', ipv6: 'fd00:5:0:99::/64' });
  assert.equal(misfits[0]?.reason, 'holds fd00:5:0:7::/64, pinned is fd00:5:0:99::/64');
});

test('the previous subnet is asked for again, family by family', () => {
  const previous = subnets('10.5.77.0/24', 'fd00:5:0:77::/64');
  assert.deepEqual(planned(DUAL, [], { previous }).subnets, previous);
  const theirs = lease(subnets('10.5.1.0/24', 'fd00:5:0:77::/64'), THEM);
  const { subnets: got, why } = planned(DUAL, [theirs], { previous });
  assert.deepEqual([got.ipv4, why], [previous.ipv4, 'previous subnet']);
  assert.notEqual(got.ipv6, previous.ipv6);
});

for (const { name, network, more, want } of [
  {
    name: 'has no address in a family',
    network: DUAL,
    more: { publicIps: { ipv4: US.ipv4 } },
    want: 'this host has no public IPv6 address, and the network has IPv6',
  },
  {
    name: 'has a link-local address alone',
    network: IPV6,
    more: { publicIps: { ipv6: parseAddress('fe80::1') } },
    want: 'the public address fe80::1 cannot be used: a link-local address',
  },
  {
    name: 'lies inside the network itself',
    network: DUAL,
    more: { publicIps: { ...US, ipv6: parseAddress('fd00:5:0:7::5') } },
    want: 'the public address fd00:5:0:7::5 cannot be used: inside the network fd00:5::/48 itself',
  },
  {
    name: 'pins what the network has not',
    network: IPV6,
    more: { pinned: subnets('10.5.9.0/24') },
    want: 'the pinned subnet 10.5.9.0/24 is of a family that the network does not have',
  },
] as const) {
  test(`a host that ${name} holds nothing`, () => {
    assert.deepEqual(plan(network, [], more), { error: want });
  });
}

const SUBNETS = fc.record(
  {
    ipv4: fc.nat(0xff).map((third) => prefixOf(addressOf('ipv4', third, 8), 24)),
    ipv6: fc.nat(0x1ff).map((fourth) => prefixOf(addressOf('ipv6', fourth, 64), 64)),
  },
  { requiredKeys: [] },
);
/** As a store's view has them: no two overlap. */
const LEASES = fc
  .array(
    fc.tuple(SUBNETS, fc.integer({ min: 1, max: 250 })).map(([held, host]) =>
      lease(held, {
        ipv4: parseAddress(`192.0.2.${host}`),
        ipv6: parseAddress(`2001:db8::${host.toString(16)}`),
      }),
    ),
    { maxLength: 60 },
  )
  .map((leases) => withoutOverlaps(leases).winners);

function addressOf(family: 'ipv4' | 'ipv6', index: number, shift: number): Address {
  const start = family === 'ipv4' ? (10n << 24n) + (5n << 16n) : 0xfd000005n << 96n;
  return addressFromBits(family, start + (BigInt(index) << BigInt(shift)));
}

test('in every family an allocation fits, overlaps nobody else, and is the same whatever the order', () => {
  fc.assert(
    fc.property(LEASES, fc.constantFrom(IPV4, DUAL, IPV6), SUBNETS, (leases, network, previous) => {
      const result = plan(network, leases, { previous });
      assert.deepEqual(plan(network, leases.toReversed(), { previous }), result);
      if ('error' in result) return assert.match(result.error, /^out of subnets/);
      for (const each of FAMILIES) {
        const part: FamilyNetwork | undefined = network[each];
        const subnet: Prefix | undefined = result.subnets[each];
        assert.equal(part === undefined, subnet === undefined);
        if (part === undefined || subnet === undefined) continue;
        assert.equal(subnetMisfit(part, subnet), undefined);
        const isOthers = (held: Lease) => held.attributes.publicIps.ipv4 !== US.ipv4;
        const others: readonly Prefix[] = leases
          .filter(isOthers)
          .flatMap(({ subnets }) => prefixesOf(subnets));
        assert.ok(!others.some((other) => overlaps(other, subnet)), subnet);
      }
    }),
    { numRuns: 200 },
  );
});
