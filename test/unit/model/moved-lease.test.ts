import assert from 'node:assert/strict';
import test from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import { type Lease, NO_ETCD_LEASE } from '../../../src/model/lease.js';
import { isFormerly, withMovedLease } from '../../../src/model/moved-lease.js';
import type { StoreView } from '../../../src/model/store-view.js';

const FORMER = { ipv4: parseAddress('192.0.2.1') };
const NOW = { ipv4: parseAddress('192.0.2.9') };

function lease(subnet: string, publicIps: typeof NOW, etcdLease = '77'): Lease {
  return {
    subnets: { ipv4: parsePrefix(subnet) },
    attributes: { publicIps, backendType: '' },
    createRevision: 2n,
    modRevision: 2n,
    etcdLease,
  };
}

function view(...leases: readonly Lease[]): StoreView {
  return { leases, quarantined: [], taken: [] };
}

const OTHER = lease('4.0.2.0/24', { ipv4: parseAddress('192.0.2.2') });

test('a lease at the former address is seen at the new one', () => {
  const moved = withMovedLease(view(lease('4.0.1.0/24', FORMER), OTHER), FORMER, NOW);
  assert.deepEqual(moved.leases, [lease('4.0.1.0/24', NOW), OTHER]);
});

test('a host that has a lease at its new address takes none along', () => {
  const before = view(lease('4.0.1.0/24', FORMER), lease('4.0.3.0/24', NOW));
  assert.equal(withMovedLease(before, FORMER, NOW), before);
});

test('a host that has not moved sees what is there', () => {
  const before = view(lease('4.0.1.0/24', NOW), OTHER);
  assert.equal(withMovedLease(before, undefined, NOW), before);
});

test('a reservation stays where the operator made it', () => {
  const reservation = lease('4.0.1.0/24', FORMER, NO_ETCD_LEASE);
  assert.equal(isFormerly(FORMER, reservation), false);
  assert.deepEqual(withMovedLease(view(reservation), FORMER, NOW).leases, [reservation]);
});
