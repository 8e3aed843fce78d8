import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { LeaseAttributes } from '../../../src/model/lease.js';
import type { LeaseState } from '../../../src/model/objects.js';
import { leaseReconciler } from '../../../src/reconcilers/lease.js';
import { snapshotAccess } from '../../../src/runtime/store/snapshot-access.js';
import { FakeStore } from '../../fakes/fake-store.js';
import { NOTHING_TO_DO, oneRound, outcomes } from './one-round.js';

const NEVER = new AbortController().signal;
const US = parseAddress('10.8.65.66');
const KEY = 'subnets/4.0.100.0-24';
const OURS = '{"PublicIP":"10.8.65.66","PublicIPv6":null}';
const THEIRS = '{"PublicIP":"10.8.65.53","PublicIPv6":null}';
const TTL_SECONDS = 3_600;

function wanting(attributes: Partial<LeaseAttributes> = {}): Desired<LeaseState>[] {
  const subnets = { ipv4: parsePrefix('4.0.100.0/24') };
  const state = { subnets, attributes: { publicIps: { ipv4: US }, backendType: '', ...attributes } };
  return [{ key: 'lease:4.0.100.0-24', state }];
}

class LeaseWorld {
  readonly store = new FakeStore();
  readonly access = snapshotAccess(this.store);
  /** What was granted and revoked, in order. */
  readonly grants: string[] = [];
  publicIps: { ipv4?: typeof US; ipv6?: typeof US } | undefined = { ipv4: US };
  former: { ipv4?: typeof US } | undefined;
  readonly reconciler = leaseReconciler(
    this.access,
    () => this.publicIps,
    () => TTL_SECONDS,
    () => this.former,
  );

  constructor() {
    const { store, grants } = this;
    const grantLease = store.grantLease.bind(store);
    const revokeLease = store.revokeLease.bind(store);
    store.grantLease = async (ttlSeconds, signal) => {
      const lease = await grantLease(ttlSeconds, signal);
      grants.push(`grant ${lease} for ${ttlSeconds} s`);
      return lease;
    };
    store.revokeLease = (lease, signal) => {
      grants.push(`revoke ${lease}`);
      return revokeLease(lease, signal);
    };
  }

  /** One round after the store was read. */
  async round(desired: readonly Desired<LeaseState>[]) {
    await this.access.refresh(NEVER);
    return oneRound(this.reconciler, desired);
  }

  async entry(key = KEY) {
    return (await this.store.snapshot(NEVER)).entries.find((entry) => entry.key === key);
  }

  /** A lease as this host had taken it. */
  async hold(value = OURS, key = KEY): Promise<void> {
    const lease = await this.store.grantLease(TTL_SECONDS, NEVER);
    await this.store.put(key, value, lease);
    this.grants.length = 0;
  }
}

describe('lease reconciler', () => {
  it('takes a lease: a grant, and the key on it, once', async () => {
    const world = new LeaseWorld();
    assert.deepEqual(await world.round(wanting()), {
      plan: ['create lease:4.0.100.0-24: missing'],
      foreign: [],
      outcomes: ['done'],
    });
    const { value, lease } = (await world.entry()) ?? {};
    assert.deepEqual([value, lease], [OURS, '1']);
    assert.deepEqual(world.grants, ['grant 1 for 3600 s']);
    assert.deepEqual(await oneRound(world.reconciler, wanting()), NOTHING_TO_DO, 'and knows it at once');
    assert.equal(world.store.asked.write, 1);
  });

  it('gives the grant back when somebody was faster', async () => {
    const world = new LeaseWorld();
    world.store.beforeWrite = () => world.store.put(KEY, THEIRS);
    assert.deepEqual((await world.round(wanting())).outcomes, ['failed LostRaceError']);
    assert.deepEqual(world.grants, ['grant 1 for 3600 s', 'revoke 1']);
    assert.equal((await world.entry())?.value, THEIRS);
    const next = await oneRound(world.reconciler, wanting());
    assert.deepEqual(next.plan, []);
    assert.match(next.foreign.join(), /^lease:4\.0\.100\.0-24: not ours: publicIps .*10\.8\.65\.53.*, want /);
  });

  it('gives the grant back when the store goes away before the key is written', async () => {
    const world = new LeaseWorld();
    world.store.compareAndPut = async () => {
      throw new Error('no answer');
    };
    await world.round(wanting());
    assert.deepEqual(world.grants, ['grant 1 for 3600 s', 'revoke 1']);
  });

  it("leaves another host's lease alone", async () => {
    const world = new LeaseWorld();
    await world.store.put(KEY, THEIRS);
    await world.store.put('subnets/4.0.7.0-24', THEIRS.replace('53', '54'));
    const { plan, foreign } = await world.round(wanting());
    assert.deepEqual(plan, []);
    assert.equal(foreign.length, 1);
    assert.deepEqual(await world.round([]), NOTHING_TO_DO);
    assert.equal(world.store.asked.write, 0);
  });

  it('adopts a lease with our public address, whoever wrote it', async () => {
    const world = new LeaseWorld();
    await world.hold();
    assert.deepEqual(await world.round(wanting()), NOTHING_TO_DO);
    assert.deepEqual(world.grants, []);
  });

  it('takes its lease along to another address: on its grant', async () => {
    const world = new LeaseWorld();
    await world.hold(THEIRS);
    world.former = { ipv4: parseAddress('10.8.65.53') };
    assert.match((await world.round(wanting())).plan.join(), /^update lease:4\.0\.100\.0-24: publicIps /);
    const { value, lease } = (await world.entry()) ?? {};
    assert.deepEqual([value, lease], [OURS, '1']);
    assert.deepEqual(world.grants, []);
  });

  it('leaves a lease at its former address alone that is not wanted, and a reservation', async () => {
    const world = new LeaseWorld();
    await world.hold(THEIRS);
    world.former = { ipv4: parseAddress('10.8.65.53') };
    assert.deepEqual(await world.round([]), NOTHING_TO_DO);
    await world.store.put(KEY, THEIRS);
    assert.deepEqual((await world.round(wanting())).plan, []);
  });

  it('rewrites a lease of ours in place: on its grant, with the fields that a newer flannel wrote', async () => {
    const world = new LeaseWorld();
    await world.hold(
      '{"PublicIP":"10.8.65.66","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1},"New":[1]}',
    );
    assert.deepEqual((await world.round(wanting())).plan, [
      'update lease:4.0.100.0-24: backendType "vxlan", want ""; backendData {"VNI":1}, want none',
    ]);
    const { value, lease } = (await world.entry()) ?? {};
    assert.deepEqual([value, lease], ['{"PublicIP":"10.8.65.66","PublicIPv6":null,"New":[1]}', '1']);
    assert.deepEqual(world.grants, []);
  });

  it('writes what the backend wants to tell the others', async () => {
    const world = new LeaseWorld();
    await world.hold();
    const { plan } = await world.round(wanting({ backendType: 'vxlan', backendData: { VNI: 1 } }));
    assert.deepEqual(plan, [
      'update lease:4.0.100.0-24: backendType "", want "vxlan"; backendData none, want {"VNI":1}',
    ]);
    assert.match((await world.entry())?.value ?? '', /"BackendType":"vxlan","BackendData":\{"VNI":1\}/);
  });

  it('leaves a reservation one when it rewrites it', async () => {
    const world = new LeaseWorld();
    await world.store.put(KEY, OURS.replace('}', ',"BackendType":"vxlan"}'));
    assert.deepEqual((await world.round(wanting())).outcomes, ['done']);
    assert.deepEqual([(await world.entry())?.value, (await world.entry())?.lease], [OURS, '0']);
  });

  it('does not rewrite what somebody changed, or deleted, since it was read', async () => {
    const world = new LeaseWorld();
    const vxlan = OURS.replace('}', ',"BackendType":"vxlan"}');
    await world.hold(vxlan);
    world.store.beforeWrite = () => world.store.put(KEY, THEIRS);
    assert.deepEqual((await world.round(wanting())).outcomes, ['failed LostRaceError']);
    assert.equal((await world.entry())?.value, THEIRS);

    await world.store.put(KEY, vxlan);
    await world.access.refresh(NEVER);
    const { actions } = world.reconciler.diff(wanting(), await world.reconciler.observe(wanting(), NEVER));
    await world.store.delete(KEY);
    await world.access.refresh(NEVER);
    assert.deepEqual(await outcomes(world.reconciler, actions), ['failed LostRaceError']);
    assert.equal(await world.entry(), undefined);
  });

  it('gives a lease back with its grant when another one is wanted', async () => {
    const world = new LeaseWorld();
    await world.hold(OURS, 'subnets/4.0.7.0-24');
    assert.deepEqual(await world.round(wanting()), {
      plan: ['create lease:4.0.100.0-24: missing', 'delete lease:4.0.7.0-24: not wanted any more'],
      foreign: [],
      outcomes: ['done', 'done'],
    });
    assert.deepEqual(world.grants, ['grant 2 for 3600 s', 'revoke 1']);
    assert.equal(await world.entry('subnets/4.0.7.0-24'), undefined);
    assert.notEqual(await world.entry(), undefined);
  });

  it("leaves a reservation that is not wanted to whoever made it: it is the operator's", async () => {
    const world = new LeaseWorld();
    await world.store.put(KEY, OURS);
    assert.deepEqual(await world.round([]), NOTHING_TO_DO);
    assert.equal((await world.entry())?.value, OURS);
  });

  it('gives back what can be no peer: a lease of ours outside of the network', async () => {
    const world = new LeaseWorld();
    await world.store.put('config', '{"Network":"10.5.0.0/16"}');
    await world.hold();
    assert.deepEqual((await world.round([])).plan, ['delete lease:4.0.100.0-24: not wanted any more']);
    assert.equal(await world.entry(), undefined);
  });

  it('does not give back what has a new owner since it was read', async () => {
    const world = new LeaseWorld();
    await world.hold();
    world.store.beforeWrite = () => world.store.put(KEY, THEIRS);
    assert.deepEqual((await world.round([])).outcomes, ['failed LostRaceError']);
    assert.equal((await world.entry())?.value, THEIRS);
    assert.deepEqual(world.grants, []);
  });

  it('takes a lease that is gone already for given back', async () => {
    const world = new LeaseWorld();
    await world.hold();
    await world.access.refresh(NEVER);
    const { actions } = world.reconciler.diff([], await world.reconciler.observe([], NEVER));
    await world.store.expire('1');
    await world.access.refresh(NEVER);
    assert.deepEqual(await outcomes(world.reconciler, actions), ['done']);
  });

  it('calls nothing its own as long as its address is not known', async () => {
    const world = new LeaseWorld();
    await world.hold();
    world.publicIps = undefined;
    assert.deepEqual(await world.round([]), NOTHING_TO_DO);
    world.publicIps = {};
    assert.deepEqual(await world.round([]), NOTHING_TO_DO);
  });

  it('knows itself by its IPv6 address where there is no other', async () => {
    const world = new LeaseWorld();
    world.publicIps = { ipv6: parseAddress('2001:db8::66') };
    await world.hold(
      '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::66"}',
      'subnets/0.0.0.0-0&fd00:1:0:7::-64',
    );
    await world.store.put(
      'subnets/0.0.0.0-0&fd00:1:0:8::-64',
      '{"PublicIP":"0.0.0.0","PublicIPv6":"2001:db8::53"}',
    );
    assert.deepEqual((await world.round([])).plan, [
      'delete lease:0.0.0.0-0&fd00:1:0:7::-64: not wanted any more',
    ]);
  });

  it('plans nothing before the store was read', async () => {
    const world = new LeaseWorld();
    await assert.rejects(
      oneRound(world.reconciler, wanting()),
      /^ObserveError: Cannot read fake store: no answer yet$/,
    );
  });

  it('fails while the store is away', async () => {
    const world = new LeaseWorld();
    await world.access.refresh(NEVER);
    world.store.goDown();
    assert.deepEqual((await oneRound(world.reconciler, wanting())).outcomes, [
      'failed StoreUnavailableError',
    ]);
  });
});
