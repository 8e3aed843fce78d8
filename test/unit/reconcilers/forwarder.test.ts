import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { ForwarderState } from '../../../src/model/objects.js';
import { forwarderReconciler } from '../../../src/reconcilers/forwarder.js';
import { FakeDataPlane } from '../../fakes/fake-data-plane.js';
import { type FakeKernel, fakeHost } from '../../fakes/fake-kernel.js';
import { NOTHING_TO_DO, oneRound } from './one-round.js';

const STATE: ForwarderState = {
  tun: 'flannel0',
  workers: 1,
  mtu: 1472,
  tunAddress: parseAddress('4.0.100.0'),
  subnet: parsePrefix('4.0.100.0/24'),
  publicIp: parseAddress('10.8.64.11'),
  bind: { address: parseAddress('10.8.64.11'), port: 8285 },
  sourceCheck: 'strict',
  offload: true,
  fastPath: false,
};

function wanting(change: Partial<ForwarderState> = {}): Desired<ForwarderState>[] {
  return [{ key: 'forwarder:flannel0', state: { ...STATE, ...change } }];
}

function host(): readonly [FakeDataPlane, ReturnType<typeof forwarderReconciler>, FakeKernel] {
  const kernel = fakeHost();
  kernel.tuns.create('flannel0', { multiQueue: false });
  const dataPlane = new FakeDataPlane(kernel);
  return [dataPlane, forwarderReconciler(dataPlane, kernel.netlink), kernel];
}

describe('forwarder reconciler', () => {
  it('starts the packet loop, once', async () => {
    const [dataPlane, reconciler] = host();
    assert.deepEqual(await oneRound(reconciler, wanting()), {
      plan: ['create forwarder:flannel0: not running'],
      foreign: [],
      outcomes: ['done'],
    });
    assert.deepEqual(dataPlane.forwarder(), STATE);
    assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
    assert.deepEqual(dataPlane.log, ['configure flannel0']);
  });

  for (const { change, reason, interrupts } of [
    { change: { mtu: 1300 }, reason: 'mtu 1472, want 1300', interrupts: false },
    {
      change: { sourceCheck: 'peer' },
      reason: 'sourceCheck strict, want peer',
      interrupts: false,
    },
    {
      change: { subnet: parsePrefix('4.0.7.0/24'), tunAddress: parseAddress('4.0.7.0') },
      reason: 'tunAddress 4.0.100.0, want 4.0.7.0; subnet 4.0.100.0/24, want 4.0.7.0/24',
      interrupts: false,
    },
    {
      change: { publicIp: parseAddress('192.0.2.1') },
      reason: 'publicIp 10.8.64.11, want 192.0.2.1',
      interrupts: false,
    },
    {
      change: { bind: { address: parseAddress('10.8.64.11'), port: 8286 } },
      reason: 'port 8285, want 8286',
      interrupts: true,
    },
    {
      change: { bind: { address: parseAddress('0.0.0.0'), port: 8285 } },
      reason: 'bind address 10.8.64.11, want 0.0.0.0',
      interrupts: false,
    },
    { change: { workers: 2 }, reason: 'workers 1, want 2', interrupts: true },
    { change: { fastPath: true }, reason: 'fastPath false, want true', interrupts: false },
  ] as const) {
    it(`${interrupts ? 'interrupts for' : 'changes without a break'} ${reason}`, async () => {
      const [, reconciler] = host();
      await oneRound(reconciler, wanting());
      const { signal } = new AbortController();
      const observed = await reconciler.observe(wanting(change), signal);
      const { actions } = reconciler.diff(wanting(change), observed);
      assert.deepEqual(
        actions.map((action) => [action.verb, action.reason, action.interrupts]),
        [['update', reason, interrupts]],
      );
    });
  }

  it('interrupts when it stops the loop, not when it starts it', async () => {
    const [, reconciler] = host();
    assert.equal(reconciler.diff(wanting(), []).actions[0]?.interrupts, false);
    const observed = [{ key: 'forwarder:flannel0', state: STATE, ours: true }] as const;
    assert.equal(reconciler.diff([], observed).actions[0]?.interrupts, true);
  });

  it('gives the loop what has changed', async () => {
    const [dataPlane, reconciler] = host();
    await oneRound(reconciler, wanting());
    assert.deepEqual((await oneRound(reconciler, wanting({ mtu: 1300 }))).outcomes, ['done']);
    assert.equal(dataPlane.forwarder()?.mtu, 1300);
  });

  it('stops the loop when it is not wanted any more; the device stays', async () => {
    const [dataPlane, reconciler, kernel] = host();
    await oneRound(reconciler, wanting());
    assert.deepEqual((await oneRound(reconciler, [])).plan, [
      'delete forwarder:flannel0: not wanted any more',
    ]);
    assert.equal(dataPlane.forwarder(), undefined);
    assert.ok(kernel.lines().some((line) => line.startsWith('link flannel0 tun')));
  });

  it('fails with what the loop says, and does not count as running', async () => {
    const [dataPlane, reconciler] = host();
    dataPlane.takenPorts.add(8285);
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['failed EADDRINUSE']);
    assert.deepEqual((await oneRound(reconciler, wanting())).plan, [
      'create forwarder:flannel0: not running',
    ]);
    dataPlane.takenPorts.clear();
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['done']);
  });

  it('wakes when the loop has died', async () => {
    const [dataPlane, reconciler] = host();
    await oneRound(reconciler, wanting());
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    dataPlane.die();
    assert.equal(wakes, 1);
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['done']);
  });
});
