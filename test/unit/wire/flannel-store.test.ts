import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PublicIps } from '../../../src/model/lease.js';
import { leasesHeldBy, type StoreEntry, type StoreView } from '../../../src/model/store-view.js';
import { TrackedList } from '../../../src/model/tracked-list.js';
import { storeReader, storeView } from '../../../src/wire/flannel-store.js';

const NETWORK = entry('config', '{"Network":"10.5.0.0/16"}', 1);

function entry(key: string, value: string, revision: number, lease = '7'): StoreEntry {
  return { key, value, createRevision: BigInt(revision), modRevision: BigInt(revision), lease };
}

function leaseEntry(subnet: string, publicIp: string, revision: number): StoreEntry {
  return entry(`subnets/${subnet}`, `{"PublicIP":"${publicIp}","PublicIPv6":null}`, revision);
}

const reasonsOf = (view: ReturnType<typeof storeView>) =>
  Object.fromEntries(view.quarantined.map(({ key, reason }) => [key, reason]));
const subnetsOf = (view: ReturnType<typeof storeView>) => view.leases.map(({ subnets }) => subnets.ipv4);

test('an empty store has no network and no leases', () => {
  assert.deepEqual(storeView([]), { leases: [], quarantined: [], taken: [] });
});

test('a network that cannot be read is an error, and the leases are read all the same', () => {
  const view = storeView([entry('config', '{"Network":5}', 3), leaseEntry('10.5.1.0-24', '192.0.2.1', 4)]);
  assert.deepEqual(view.network, { error: 'Network is 5, must be a string' });
  assert.equal(view.networkRevision, 3n);
  assert.deepEqual(subnetsOf(view), ['10.5.1.0/24']);
});

test('other keys are nobody’s business', () => {
  const view = storeView([entry('subnetsX/10.5.1.0-24', '{}', 2), entry('configX', '{}', 3)]);
  assert.deepEqual(view, { leases: [], quarantined: [], taken: [] });
});

test('each bad lease is set aside with its reason, and its subnet stays taken', () => {
  const good = leaseEntry('10.5.1.0-24', '192.0.2.1', 2);
  const bad = [
    leaseEntry('10.5.2.0-24', '127.0.0.1', 3),
    leaseEntry('10.5.3.0-24', '10.5.3.1', 4),
    leaseEntry('10.6.4.0-24', '192.0.2.4', 5),
    leaseEntry('10.5.5.9-24', '192.0.2.5', 6),
    entry('subnets/10.5.6.0-24', 'x'.repeat(2 ** 20), 7),
    entry('subnets/\u001b[2J', '{}', 8),
  ];
  const view = storeView([NETWORK, ...bad, good]);
  assert.deepEqual(subnetsOf(view), ['10.5.1.0/24']);
  assert.deepEqual(reasonsOf(view), {
    'subnets/10.5.2.0-24': 'the public address 127.0.0.1 cannot be used: a loopback address',
    'subnets/10.5.3.0-24':
      'the public address 10.5.3.1 cannot be used: inside the network 10.5.0.0/16 itself',
    'subnets/10.6.4.0-24': '10.6.4.0/24 is outside the network 10.5.0.0/16',
    'subnets/10.5.5.9-24': 'the key is not in canonical form, must be 10.5.5.0-24',
    'subnets/10.5.6.0-24': 'the value has 1048576 characters, must be 65536 at most',
    'subnets/\u001b[2J': 'the key is no subnet, want for example 10.5.34.0-24',
  });
  assert.deepEqual(
    new Set(view.taken),
    new Set(['10.5.1.0/24', '10.5.2.0/24', '10.5.3.0/24', '10.6.4.0/24', '10.5.5.0/24', '10.5.6.0/24']),
  );
});

test('an IPv6 lease needs a public IPv6 address', () => {
  const key = 'subnets/0.0.0.0-0&fd00:5::-64';
  const config = entry('config', '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:5::/48"}', 1);
  const view = storeView([config, entry(key, '{"PublicIP":"192.0.2.1","PublicIPv6":null}', 2)]);
  assert.deepEqual(reasonsOf(view), { [key]: 'has no public ipv6 address' });
  const good = storeView([config, entry(key, '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::1"}', 2)]);
  assert.deepEqual(good.leases[0]?.subnets, { ipv6: 'fd00:5::/64' });
});

test('of leases that overlap the oldest stays, whatever their order', () => {
  const entries = [
    NETWORK,
    leaseEntry('10.5.8.0-22', '192.0.2.1', 9),
    leaseEntry('10.5.9.0-24', '192.0.2.2', 4),
    leaseEntry('10.5.10.0-24', '192.0.2.3', 12),
    leaseEntry('10.5.20.0-24', '192.0.2.4', 5),
    leaseEntry('10.5.9.128-25', '192.0.2.5', 3),
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) => {
      const view = storeView(shuffled);
      assert.deepEqual(new Set(subnetsOf(view)), new Set(['10.5.9.128/25', '10.5.10.0/24', '10.5.20.0/24']));
      assert.deepEqual(reasonsOf(view), {
        'subnets/10.5.9.0-24': 'overlaps 10.5.9.128-25, which is older',
        'subnets/10.5.8.0-22': 'overlaps 10.5.9.128-25, which is older',
      });
    }),
  );
});

test('whatever the entries hold, nothing throws, no two leases overlap and each entry is accounted for', () => {
  const hostile = fc
    .record({
      key: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.tuple(fc.nat(300), fc.nat(255), fc.nat(34)).map(([a, b, length]) => `10.5.${a}.${b}-${length}`),
        fc.tuple(fc.nat(9), fc.integer({ min: 20, max: 26 })).map(([a, length]) => `10.5.${a}.0-${length}`),
      ),
      value: fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json(),
        fc.constantFrom('{"PublicIP":"192.0.2.1"}', '{"PublicIP":"192.0.2.2"}', '{"PublicIP":"10.5.0.1"}'),
      ),
      revision: fc.nat(50),
    })
    .map(({ key, value, revision }) => entry(`subnets/${key}`, value, revision));
  const entries = fc.uniqueArray(hostile, { selector: ({ key }) => key, maxLength: 30 });
  fc.assert(
    fc.property(entries, (list) => {
      const view = storeView([NETWORK, ...list]);
      assert.equal(view.leases.length + view.quarantined.length, list.length);
      const ranges = view.leases.map(({ subnets }) => subnets.ipv4 ?? '');
      assert.equal(new Set(ranges).size, ranges.length);
      for (const { reason } of view.quarantined) assert.match(reason, /^[ -~]{1,200}$/);
    }),
    { numRuns: 300 },
  );
});

test('what a reader makes of change after change is what is read anew', () => {
  // Few subnets of several lengths, written, rewritten and deleted: overlaps come and go, in chains too.
  const key = fc.constantFrom(
    ...['10.5.0.0-20', '10.5.0.0-23', '10.5.0.0-24', '10.5.1.0-24', '10.5.1.128-25', '10.5.2.0-23'],
    ...['10.5.2.0-24', '10.5.0.0-24&fd00:1::-56', '10.5.1.0-24&fd00:1::-57', '10.5.9.0-24&fd00:1::-48'],
    ...['10.6.0.0-24', '10.5.7.1-24', 'nonsense'],
  );
  const value = fc.constantFrom(
    '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1"}',
    '{"PublicIP":"192.0.2.2","PublicIPv6":"2001:db8::2"}',
    'broken',
  );
  const network = fc.constantFrom('{"Network":"10.5.0.0/16"}', '{"Network":"10.0.0.0/8"}', '{"Network":5}');
  const write = fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({ key: key.map((name) => `subnets/${name}`), value: fc.option(value) }),
    },
    { weight: 1, arbitrary: fc.record({ key: fc.constant('config'), value: fc.option(network) }) },
  );
  fc.assert(
    fc.property(fc.array(fc.array(write, { maxLength: 5 }), { maxLength: 12 }), (batches) => {
      const read = storeReader();
      let entries = listed([NETWORK]);
      let revision = 1;
      for (const batch of batches) {
        for (const { key, value } of batch) {
          const written = value === null ? undefined : entry(key, value, ++revision);
          entries = entries.edited([[key, written]]);
        }
        const { holders, ...view } = read(entries);
        assert.deepEqual(inOrder(view), inOrder(storeView(entries.list)));
        for (const [family, address] of [
          ['ipv4', '192.0.2.1'],
          ['ipv6', '2001:db8::2'],
        ] as const) {
          const us = { [family]: address } as PublicIps;
          assert.deepEqual(
            new Set(leasesHeldBy({ holders, ...view } as StoreView, us)),
            new Set(leasesHeldBy(view, us)),
          );
        }
      }
    }),
    { numRuns: 500 },
  );
});

function inOrder({ leases, quarantined, taken, ...rest }: StoreView) {
  const byText = (items: readonly unknown[]) =>
    items
      .map((item) => JSON.stringify(item, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
      .sort();
  return { ...rest, leases: byText(leases), quarantined: byText(quarantined), taken: byText(taken) };
}

test('an entry is read once as long as it is the same object', () => {
  const read = storeReader();
  const kept = leaseEntry('10.5.1.0-24', '192.0.2.1', 2);
  const first = read(listed([NETWORK, kept, leaseEntry('10.5.2.0-24', '192.0.2.2', 3)]));
  const second = read(listed([NETWORK, kept, leaseEntry('10.5.2.0-24', '192.0.2.9', 4)]));
  assert.equal(second.leases[0], first.leases[0]);
  assert.equal(second.leases[1]?.attributes.publicIps.ipv4, '192.0.2.9');
});

test('a changed network is applied to leases that were read before', () => {
  const read = storeReader();
  const lease = leaseEntry('10.5.1.0-24', '192.0.2.1', 2);
  assert.equal(read(listed([NETWORK, lease])).leases.length, 1);
  const moved = read(listed([entry('config', '{"Network":"10.6.0.0/16"}', 3), lease]));
  assert.deepEqual(reasonsOf(moved), {
    'subnets/10.5.1.0-24': '10.5.1.0/24 is outside the network 10.6.0.0/16',
  });
  assert.equal(read(listed([NETWORK, lease])).leases.length, 1);
});

test('a lease that went away is held while nobody else has taken its subnet', () => {
  const read = storeReader();
  const gone = leaseEntry('10.5.1.0-24', '192.0.2.1', 2);
  const departed = { held: [gone, entry('subnets/10.5.9.0-24', 'garbage', 3)], vanished: 1 };
  const { held, vanished, leases } = read(listed([NETWORK]), undefined, departed);
  assert.deepEqual(
    held?.map(({ subnets }) => subnets.ipv4),
    ['10.5.1.0/24'],
  );
  assert.equal(vanished, 1);
  assert.deepEqual(leases, []);
  const taken = listed([NETWORK, leaseEntry('10.5.0.0-23', '192.0.2.7', 4)]);
  assert.deepEqual(read(taken, undefined, departed).held, []);
  assert.equal('held' in read(taken), false);
});

function listed(entries: readonly StoreEntry[]): TrackedList<StoreEntry> {
  return TrackedList.empty<StoreEntry>().edited(entries.map((entry) => [entry.key, entry]));
}
