import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Desired } from '../../../src/model/diff.js';
import type { LinkState } from '../../../src/model/objects.js';
import { linkReconciler } from '../../../src/reconcilers/link.js';
import { settle } from '../../fakes/fake-clock.js';
import { FakeKernel } from '../../fakes/fake-kernel.js';
import { NOTHING_TO_DO, oneRound, outcomes } from './one-round.js';

const ALIAS = 'flannelette flannel0';
const STATE: LinkState = {
  name: 'flannel0',
  kind: 'tun',
  mtu: 1472,
  up: true,
  alias: ALIAS,
  multiQueue: false,
};

function wanting(change: Partial<LinkState> = {}): Desired<LinkState>[] {
  return [{ key: 'link:flannel0', state: { ...STATE, ...change } }];
}

function hostWith(
  prepare: (kernel: FakeKernel) => void = () => {},
): readonly [FakeKernel, ReturnType<typeof linkReconciler>] {
  const kernel = new FakeKernel();
  prepare(kernel);
  const scope = () => ({ devices: ['flannel0'], networks: [] });
  return [kernel, linkReconciler(kernel.netlink, kernel.tuns, kernel.sysctls, ALIAS, scope)];
}

/** The device as a daemon leaves it. */
function inPlace(kernel: FakeKernel): void {
  kernel.tuns.create('flannel0', { multiQueue: false });
  kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1472, up: true, alias: ALIAS });
  kernel.log.length = 0;
}

function lines(kernel: FakeKernel): readonly string[] {
  return kernel.lines().filter((line) => line.startsWith('link ') && !line.startsWith('link lo'));
}

describe('link reconciler', () => {
  it('makes the device, marks it, and only then raises it', async () => {
    const [kernel, reconciler] = hostWith();
    assert.deepEqual(await oneRound(reconciler, wanting()), {
      plan: ['create link:flannel0: missing'],
      foreign: [],
      outcomes: ['done'],
    });
    assert.deepEqual(kernel.log, [
      'create TUN device flannel0',
      'set link flannel0 mtu 1472',
      `set link flannel0 alias "${ALIAS}"`,
      'set link flannel0 up',
    ]);
    assert.deepEqual(lines(kernel), [`link flannel0 tun mtu 1472 up no-carrier alias "${ALIAS}"`]);
    assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
  });

  it('turns checksum offload of a VXLAN device off and on without making it anew', async () => {
    const [kernel, reconciler] = hostWith();
    const vxlan = { vni: 1, port: 8472, learning: false, gbp: false, mac: '66:6c:0a:08:41:42' };
    const want = (offload: object) =>
      wanting({ kind: 'vxlan', mtu: 1450, vxlan: { ...vxlan, ...offload } }).map(
        ({ key, state: { multiQueue: _, ...state } }) => ({ key, state }),
      );
    await oneRound(reconciler, want({ txChecksumOffload: false }));
    assert.match(lines(kernel).join(), / tx-checksum off /);
    // Left out, it is nobody's business: an operator may have turned it off by hand.
    assert.deepEqual(await oneRound(reconciler, want({})), NOTHING_TO_DO);
    kernel.log.length = 0;
    assert.deepEqual((await oneRound(reconciler, want({ txChecksumOffload: true }))).plan, [
      'update link:flannel0: checksum offload off, want on',
    ]);
    assert.deepEqual(kernel.log[0], 'turn checksum offload of flannel0 on');
    assert.ok(!kernel.log.some((line) => line.startsWith('delete link')));
    assert.deepEqual(await oneRound(reconciler, want({ txChecksumOffload: true })), NOTHING_TO_DO);
  });

  for (const { name, break: breakIt, reason } of [
    {
      name: 'another MTU',
      break: (kernel: FakeKernel) => kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1500 }),
      reason: 'mtu 1500, want 1472',
    },
    {
      name: 'a device that is down',
      break: (kernel: FakeKernel) => kernel.foreign({ op: 'set-link', name: 'flannel0', up: false }),
      reason: 'down, want up',
    },
    {
      name: 'both',
      break: (kernel: FakeKernel) =>
        kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1500, up: false }),
      reason: 'mtu 1500, want 1472; down, want up',
    },
  ]) {
    it(`puts right ${name}, in place`, async () => {
      const [kernel, reconciler] = hostWith(inPlace);
      breakIt(kernel);
      const round = await oneRound(reconciler, wanting());
      assert.deepEqual(round.plan, [`update link:flannel0: ${reason}`]);
      assert.deepEqual(round.outcomes, ['done']);
      assert.equal(kernel.log.length, 1);
      assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
    });
  }

  it('makes the device anew for another number of queues, and says that this interrupts', async () => {
    const [kernel, reconciler] = hostWith(inPlace);
    const desired = wanting({ multiQueue: true });
    const plan = reconciler.diff(desired, await reconciler.observe(desired, new AbortController().signal));
    assert.deepEqual(
      plan.actions.map(({ verb, reason, interrupts }) => [verb, reason, interrupts]),
      [['update', 'multi-queue off, want on', true]],
    );
    assert.deepEqual(await outcomes(reconciler, plan.actions), ['done']);
    assert.deepEqual(lines(kernel), [
      `link flannel0 tun multi_queue mtu 1472 up no-carrier alias "${ALIAS}"`,
    ]);
    assert.deepEqual(await oneRound(reconciler, desired), NOTHING_TO_DO);
  });

  it('says of nothing else that it interrupts', async () => {
    const [kernel, reconciler] = hostWith(inPlace);
    kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1500 });
    const observed = await reconciler.observe(wanting(), new AbortController().signal);
    assert.deepEqual(
      [reconciler.diff(wanting(), observed), reconciler.diff(wanting(), [])].map(
        ({ actions: [action] }) => action?.interrupts,
      ),
      [false, false],
    );
    assert.equal(reconciler.diff([], observed).actions[0]?.interrupts, true, 'but for its end');
  });

  it('removes the device when it is not wanted any more', async () => {
    const [kernel, reconciler] = hostWith(inPlace);
    const { plan, outcomes: done } = await oneRound(reconciler, []);
    assert.deepEqual(plan, ['delete link:flannel0: not wanted any more']);
    assert.deepEqual(done, ['done']);
    assert.deepEqual(lines(kernel), []);
  });

  it('removes a device of ours that has another name', async () => {
    const [kernel, reconciler] = hostWith((host) => {
      host.tuns.create('flannel9', { multiQueue: false });
      host.foreign({ op: 'set-link', name: 'flannel9', alias: ALIAS });
    });
    assert.deepEqual((await oneRound(reconciler, wanting())).plan, [
      'create link:flannel0: missing',
      'delete link:flannel9: not wanted any more',
    ]);
    assert.equal(lines(kernel).length, 1);
  });

  it('takes a device that is gone already for deleted', async () => {
    const [kernel, reconciler] = hostWith(inPlace);
    const { actions } = reconciler.diff([], await reconciler.observe([], new AbortController().signal));
    kernel.foreign({ op: 'delete-link', name: 'flannel0' });
    assert.deepEqual(await outcomes(reconciler, actions), ['done']);
  });

  it('finishes a device that was left half-made', async () => {
    const [kernel, reconciler] = hostWith((host) => host.tuns.create('flannel0', { multiQueue: false }));
    const { plan } = await oneRound(reconciler, wanting());
    assert.deepEqual(plan, [
      `update link:flannel0: alias none, want "${ALIAS}"; mtu 1500, want 1472; down, want up`,
    ]);
    assert.deepEqual(lines(kernel), [`link flannel0 tun mtu 1472 up no-carrier alias "${ALIAS}"`]);
  });

  it('finishes a device that was left half-made and that our own packet loop has taken up', async () => {
    const kernel = new FakeKernel();
    kernel.tuns.create('flannel0', { multiQueue: false });
    kernel.holdTun('flannel0');
    const scope = () => ({ devices: ['flannel0'], networks: [] });
    const reconciler = linkReconciler(
      kernel.netlink,
      kernel.tuns,
      kernel.sysctls,
      ALIAS,
      scope,
      (name) => name === 'flannel0',
    );
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['done']);
    assert.deepEqual(lines(kernel), [`link flannel0 tun mtu 1472 up alias "${ALIAS}"`]);
  });

  for (const { name, prepare } of [
    {
      name: "flanneld's device, which is up",
      prepare: (kernel: FakeKernel) => {
        kernel.tuns.create('flannel0', { multiQueue: false });
        kernel.foreign({ op: 'set-link', name: 'flannel0', up: true });
      },
    },
    {
      name: 'a device that a program holds',
      prepare: (kernel: FakeKernel) => {
        kernel.tuns.create('flannel0', { multiQueue: false });
        kernel.holdTun('flannel0');
      },
    },
    {
      name: 'a device with a mark of somebody else',
      prepare: (kernel: FakeKernel) => {
        kernel.tuns.create('flannel0', { multiQueue: false });
        kernel.foreign({ op: 'set-link', name: 'flannel0', alias: 'flannelette green' });
      },
    },
    {
      name: 'a TAP',
      prepare: (kernel: FakeKernel) =>
        kernel.addLink({
          name: 'flannel0',
          kind: 'tun',
          carrier: false,
          tun: { mode: 'tap', persist: true, multiQueue: false },
        }),
    },
    {
      name: 'a TUN that does not outlive its program',
      prepare: (kernel: FakeKernel) =>
        kernel.addLink({
          name: 'flannel0',
          kind: 'tun',
          carrier: false,
          tun: { mode: 'tun', persist: false, multiQueue: false },
        }),
    },
    {
      name: 'a bridge',
      prepare: (kernel: FakeKernel) => kernel.addLink({ name: 'flannel0', kind: 'bridge' }),
    },
    { name: 'a physical device', prepare: (kernel: FakeKernel) => kernel.addLink({ name: 'flannel0' }) },
  ]) {
    it(`leaves alone ${name}, and says what is in the way`, async () => {
      const [kernel, reconciler] = hostWith(prepare);
      const before = kernel.lines();
      const round = await oneRound(reconciler, wanting());
      assert.deepEqual(round.plan, []);
      assert.match(round.foreign.join(), /^link:flannel0: not ours: /);
      assert.deepEqual(kernel.lines(), before);
      assert.deepEqual((await oneRound(reconciler, [])).plan, [], 'nor is it removed');
    });
  }

  it('makes anew a device with our mark that differs in its kind alone', async () => {
    const [kernel, reconciler] = hostWith((host) => {
      host.addLink({ name: 'flannel0', kind: 'bridge' });
      host.foreign({ op: 'set-link', name: 'flannel0', mtu: 1472, up: true, alias: ALIAS });
    });
    const { plan } = await oneRound(reconciler, wanting());
    assert.deepEqual(plan, ['update link:flannel0: kind bridge, want tun']);
    assert.deepEqual(lines(kernel), [`link flannel0 tun mtu 1472 up no-carrier alias "${ALIAS}"`]);
  });

  it('does not see the devices of others', async () => {
    const [kernel, reconciler] = hostWith((host) => {
      host.addLink({ name: 'eth0' });
      host.tuns.create('green', { multiQueue: false });
      host.foreign({ op: 'set-link', name: 'green', alias: 'flannelette green' });
    });
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
    assert.equal(lines(kernel).length, 2);
  });

  it('fails with what the kernel says, and leaves what the next round can finish', async () => {
    const [kernel, reconciler] = hostWith();
    kernel.refuse = (operation) => (operation.includes('mtu') ? 'EPERM' : undefined);
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['failed EPERM']);
    assert.deepEqual(lines(kernel), ['link flannel0 tun mtu 1500 down no-carrier']);
    kernel.refuse = () => undefined;
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['done']);
    assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
  });

  it('wakes on links, until told not to', async () => {
    const [kernel, reconciler] = hostWith(inPlace);
    let wakes = 0;
    const stop = new AbortController();
    reconciler.watch?.(() => wakes++, stop.signal);
    kernel.foreign({ op: 'set-link', name: 'flannel0', up: false });
    await settle();
    assert.ok(wakes > 0);
    stop.abort();
    wakes = 0;
    kernel.foreign({ op: 'set-link', name: 'flannel0', up: true });
    await settle();
    assert.equal(wakes, 0);
  });
});
