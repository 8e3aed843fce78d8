import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { storeView } from '../../src/wire/flannel-store.js';
import { withEtcd } from '../lab/etcd.js';
import { allocationsOfRace } from './allocation-race.js';

const PROCESSES = 10;
const HOSTS_EACH = 10;
const MOST_MS = 3_000;

const NETWORKS = [
  { name: 'a hundred hosts that start at once', config: '{"Network":"10.5.0.0/16"}' },
  {
    name: 'a hundred hosts that start at once in a network of a hundred subnets',
    config: '{"Network":"10.5.0.0/16","SubnetMin":"10.5.1.0","SubnetMax":"10.5.100.0"}',
  },
];

for (const { name, config } of NETWORKS) {
  test(`${name} get a hundred different subnets within ${MOST_MS} ms`, async (context) => {
    await withEtcd(async (etcd) => {
      let tookMs = Infinity;
      // The machine may be busy with other tests, so one race of three has to be in time; each has to be won by all.
      for (let race = 1; race <= 3 && tookMs > MOST_MS; race++) {
        const prefix = `/race/${race}`;
        await etcd.ctl('put', `${prefix}/config`, config);
        const allocations = await allocationsOfRace(etcd.endpoint, prefix, PROCESSES, HOSTS_EACH);
        assert.equal(allocations.length, PROCESSES * HOSTS_EACH);
        assert.equal(new Set(allocations.map(({ subnet }) => subnet)).size, allocations.length);
        await assertLeases(etcd.endpoint, prefix, allocations.length);

        const firstGrant = Math.min(...allocations.map(({ grantedAt }) => grantedAt));
        const spans = allocations
          .map(({ doneAt }) => doneAt - firstGrant)
          .sort((left, right) => left - right);
        const lost = allocations.map(({ lostRaces }) => lostRaces);
        tookMs = spans.at(-1) ?? Infinity;
        context.diagnostic(
          `median ${spans[50]} ms, last ${tookMs} ms after the first grant, ` +
            `${lost.reduce((sum, races) => sum + races, 0)} races lost, by one host at most ${Math.max(...lost)}`,
        );
      }
      assert.ok(tookMs <= MOST_MS, `the last one had its subnet ${tookMs} ms after the first grant`);
    });
  });
}

/** The store says the same: that many leases, each on an etcd lease of its own, none set aside. */
async function assertLeases(endpoint: string, prefix: string, count: number): Promise<void> {
  const store = createEtcdStore({ type: 'etcd', endpoints: [endpoint], prefix, leaseTtlSeconds: 60 });
  const { entries } = await store.snapshot(new AbortController().signal);
  store.close();
  const { leases, quarantined } = storeView(entries);
  assert.equal(leases.length, count);
  assert.deepEqual(quarantined, []);
  assert.equal(new Set(leases.map(({ etcdLease }) => etcdLease)).size, count);
}
