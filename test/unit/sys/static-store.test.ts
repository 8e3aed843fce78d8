import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import { createStaticStore } from '../../../src/sys/static-store.js';
import { storeView } from '../../../src/wire/flannel-store.js';
import { storeContract } from '../../contract/store-contract.js';

const NEVER = new AbortController().signal;
const PEERS = [
  { subnets: { ipv4: parsePrefix('10.6.1.0/24') }, publicIps: { ipv4: parseAddress('192.0.2.1') } },
  {
    subnets: { ipv4: parsePrefix('10.6.2.0/24'), ipv6: parsePrefix('fd00:6:0:2::/64') },
    publicIps: { ipv4: parseAddress('192.0.2.2'), ipv6: parseAddress('2001:db8::2') },
  },
  { subnets: { ipv6: parsePrefix('fd00:6::/64') }, publicIps: { ipv6: parseAddress('2001:db8::3') } },
];

storeContract('static', async () => {
  const store = createStaticStore({ type: 'static', peers: PEERS });
  return { store, other: store, close: async () => {} };
});

test('the peers of the file are leases from the start', async () => {
  const store = createStaticStore({ type: 'static', peers: PEERS });
  const { revision, entries } = await store.snapshot(NEVER);
  assert.equal(revision, 1n);
  const { leases, quarantined } = storeView(entries);
  assert.deepEqual(quarantined, []);
  assert.deepEqual(
    leases.map(({ subnets, attributes: { publicIps } }) => [subnets, publicIps]),
    PEERS.map(({ subnets, publicIps }) => [subnets, publicIps]),
  );
});

test('a past that is too long to keep is compacted, and a watch of it is told so', async () => {
  const store = createStaticStore({ type: 'static', peers: PEERS });
  for (let expected = 0n; expected < 1_100n; ) {
    const put = { key: 'subnets/10.6.9.0-24', value: `${expected}`, expected, lease: '0' };
    assert.ok(await store.compareAndPut(put, NEVER));
    expected = (await store.snapshot(NEVER)).revision;
  }
  const end = await store.watch(2n, () => {}, NEVER);
  assert.equal(end.why, 'compacted');
});
