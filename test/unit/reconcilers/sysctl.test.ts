import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desired } from '../../../src/model/diff.js';
import type { SysctlState } from '../../../src/model/objects.js';
import { sysctlReconciler } from '../../../src/reconcilers/sysctl.js';
import { settle } from '../../fakes/fake-clock.js';
import { FakeKernel } from '../../fakes/fake-kernel.js';
import { NOTHING_TO_DO, oneRound } from './one-round.js';

const FORWARD = 'net.ipv4.ip_forward';
const ACCEPT_LOCAL = 'net.ipv4.conf.flannel0.accept_local';

function wanting(name: string, value: string): Desired<SysctlState>[] {
  return [{ key: `sysctl:${name}`, state: { name, value } }];
}

function hostWith(
  ...settings: readonly (readonly [string, string])[]
): readonly [FakeKernel, ReturnType<typeof sysctlReconciler>] {
  const kernel = new FakeKernel();
  for (const [name, value] of settings) kernel.setSysctl({ name, value });
  return [kernel, sysctlReconciler(kernel.sysctls, kernel.netlink)];
}

describe('sysctl reconciler', () => {
  it('sets what is not as wanted, once, and says what it was', async () => {
    const [kernel, reconciler] = hostWith([FORWARD, '0']);
    assert.deepEqual(await oneRound(reconciler, wanting(FORWARD, '1')), {
      plan: [`update sysctl:${FORWARD}: 0, want 1`],
      foreign: [],
      outcomes: ['done'],
    });
    assert.equal(await kernel.sysctls.read(FORWARD), '1');
    assert.deepEqual(await oneRound(reconciler, wanting(FORWARD, '1')), NOTHING_TO_DO);
    assert.equal(kernel.log.length, 1);
  });

  it('sets nothing back that is not wanted any more: it has no owner', async () => {
    const [kernel, reconciler] = hostWith([FORWARD, '1']);
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
    assert.equal(await kernel.sysctls.read(FORWARD), '1');
  });

  it('shows for a device that is still to be made what such a device begins with', async () => {
    const [, reconciler] = hostWith();
    const round = await oneRound(reconciler, wanting(ACCEPT_LOCAL, '1'));
    assert.deepEqual(round.plan, [`update sysctl:${ACCEPT_LOCAL}: 0, want 1`]);
    assert.match(round.outcomes.join(), /^failed E/, 'but cannot set it before');
  });

  it('has nothing to do where devices begin with what is wanted', async () => {
    const [, reconciler] = hostWith(['net.ipv4.conf.default.accept_local', '1']);
    assert.deepEqual(await oneRound(reconciler, wanting(ACCEPT_LOCAL, '1')), NOTHING_TO_DO);
  });

  it('looks at the device itself once it is there', async () => {
    const [kernel, reconciler] = hostWith(['net.ipv4.conf.default.accept_local', '1']);
    kernel.tuns.create('flannel0', { multiQueue: false });
    kernel.setSysctl({ name: ACCEPT_LOCAL, value: '0' });
    assert.deepEqual((await oneRound(reconciler, wanting(ACCEPT_LOCAL, '1'))).outcomes, ['done']);
    assert.equal(await kernel.sysctls.read(ACCEPT_LOCAL), '1');
  });

  it('plans for a device that will be made anew with what it will begin with', async () => {
    const [kernel, reconciler] = hostWith();
    kernel.tuns.create('flan.nel', { multiQueue: false });
    const name = 'net.ipv4.conf.flan/nel.accept_local';
    kernel.setSysctl({ name, value: '1' });
    const desired = wanting(name, '1');
    const { signal } = new AbortController();
    assert.deepEqual(reconciler.diff(desired, await reconciler.observe(desired, signal)).actions, []);
    const observed = await reconciler.observe(desired, signal, new Set(['flan.nel']));
    assert.equal(reconciler.diff(desired, observed).actions[0]?.reason, '0, want 1');
  });

  it('plans to make a setting that this kernel does not have, and fails with what the kernel says', async () => {
    const [, reconciler] = hostWith();
    const { plan, outcomes } = await oneRound(reconciler, wanting('net.ipv4.no_such_thing', '1'));
    assert.deepEqual(plan, ['create sysctl:net.ipv4.no_such_thing: missing']);
    assert.match(outcomes.join(), /^failed E/);
  });

  it('wakes on links: a new one comes with settings of its own', async () => {
    const [kernel, reconciler] = hostWith();
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    kernel.tuns.create('flannel0', { multiQueue: false });
    await settle();
    assert.ok(wakes > 0);
  });
});
