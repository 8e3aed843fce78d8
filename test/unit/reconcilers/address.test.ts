import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import type { AddressState } from '../../../src/model/objects.js';
import { addressReconciler } from '../../../src/reconcilers/address.js';
import { settle } from '../../fakes/fake-clock.js';
import { FakeKernel } from '../../fakes/fake-kernel.js';
import { NOTHING_TO_DO, oneRound, outcomes } from './one-round.js';

const ALIAS = 'flannelette flannel0';
const SCOPE = { devices: ['flannel0'], networks: [parsePrefix('4.0.0.0/16')] };

function wanting(text: string): Desired<AddressState>[] {
  const [address = '', length = ''] = text.split('/');
  const state = { link: 'flannel0', address: parseAddress(address), length: Number(length) };
  return [{ key: `address:flannel0 ${text}`, state }];
}

const DESIRED = wanting('4.0.100.0/32');

/** `flannel0`, marked and up, with `addresses`. */
function hostWith(
  addresses: readonly string[] = [],
  alias = ALIAS,
): readonly [FakeKernel, ReturnType<typeof addressReconciler>] {
  const kernel = new FakeKernel();
  kernel.tuns.create('flannel0', { multiQueue: false });
  kernel.foreign({ op: 'set-link', name: 'flannel0', up: true, alias });
  for (const text of addresses) {
    const [address = '', length = ''] = text.split('/');
    const place = { link: 'flannel0', address: parseAddress(address), length: Number(length) };
    kernel.foreign({ op: 'add-address', ...place });
  }
  kernel.log.length = 0;
  return [kernel, addressReconciler(kernel.netlink, ALIAS, () => SCOPE)];
}

function addresses(kernel: FakeKernel): readonly string[] {
  return kernel.lines().filter((line) => line.startsWith('address ') && line.includes('flannel0'));
}

describe('address reconciler', () => {
  it('adds the address, once', async () => {
    const [kernel, reconciler] = hostWith();
    assert.deepEqual(await oneRound(reconciler, DESIRED), {
      plan: ['create address:flannel0 4.0.100.0/32: missing'],
      foreign: [],
      outcomes: ['done'],
    });
    assert.deepEqual(addresses(kernel), ['address 4.0.100.0/32 dev flannel0 scope global']);
    assert.deepEqual(await oneRound(reconciler, DESIRED), NOTHING_TO_DO);
    assert.equal(kernel.log.length, 1);
  });

  it('adds the new address before it deletes the old one', async () => {
    const [kernel, reconciler] = hostWith(['4.0.7.0/32']);
    assert.deepEqual((await oneRound(reconciler, DESIRED)).outcomes, ['done', 'done']);
    assert.deepEqual(kernel.log, [
      'add address 4.0.100.0/32 dev flannel0',
      'delete address 4.0.7.0/32 dev flannel0',
    ]);
  });

  it('takes the length for part of the identity', async () => {
    const [, reconciler] = hostWith(['4.0.100.0/16']);
    assert.deepEqual((await oneRound(reconciler, DESIRED)).plan, [
      'create address:flannel0 4.0.100.0/32: missing',
      'delete address:flannel0 4.0.100.0/16: not wanted any more',
    ]);
  });

  it("deletes an address of a host alone, as an earlier network left it, and keeps an operator's", async () => {
    const [kernel, reconciler] = hostWith(['4.0.100.0/32', '10.5.7.0/32', '192.168.9.1/24']);
    assert.deepEqual((await oneRound(reconciler, DESIRED)).plan, [
      'delete address:flannel0 10.5.7.0/32: not wanted any more',
    ]);
    assert.deepEqual(addresses(kernel), [
      'address 192.168.9.1/24 dev flannel0 scope global',
      'address 4.0.100.0/32 dev flannel0 scope global',
    ]);
  });

  it("leaves the kernel's own link-local address alone", async () => {
    const [, reconciler] = hostWith(['4.0.100.0/32', 'fe80::1/64']);
    assert.deepEqual(await oneRound(reconciler, DESIRED), NOTHING_TO_DO);
  });

  it('deletes nothing on a device that does not carry our mark', async () => {
    const [kernel, reconciler] = hostWith(['4.0.7.0/32'], 'somebody');
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
    assert.equal(addresses(kernel).length, 1);
  });

  it('does not see the addresses on other devices', async () => {
    const [kernel, reconciler] = hostWith();
    kernel.addLink({ name: 'docker0', kind: 'bridge' });
    kernel.foreign({ op: 'add-address', link: 'docker0', address: parseAddress('4.0.100.1'), length: 24 });
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
  });

  it('plans for a device that will be made anew as if nothing were on it', async () => {
    const [, reconciler] = hostWith(['4.0.100.0/32']);
    const { signal } = new AbortController();
    const observed = await reconciler.observe(DESIRED, signal, new Set(['flannel0']));
    assert.deepEqual(
      reconciler.diff(DESIRED, observed).actions.map(({ verb }) => verb),
      ['create'],
    );
  });

  it('takes an address that is there already for added, and one that is gone for deleted', async () => {
    const [kernel, reconciler] = hostWith(['4.0.7.0/32']);
    const { signal } = new AbortController();
    const { actions } = reconciler.diff(DESIRED, await reconciler.observe(DESIRED, signal));
    const [added, deleted] = [DESIRED[0]?.state, wanting('4.0.7.0/32')[0]?.state] as [
      AddressState,
      AddressState,
    ];
    kernel.foreign({ op: 'add-address', ...added }, { op: 'delete-address', ...deleted });
    assert.deepEqual(await outcomes(reconciler, actions), ['unchanged', 'unchanged']);
    kernel.foreign({ op: 'delete-link', name: 'flannel0' });
    assert.deepEqual(await outcomes(reconciler, actions), ['failed ENODEV', 'skipped']);
    assert.deepEqual(await outcomes(reconciler, actions.slice(1)), ['unchanged']);
  });

  it('deletes nothing after a failed addition', async () => {
    const [kernel, reconciler] = hostWith(['4.0.7.0/32']);
    kernel.refuse = (operation) => (operation.startsWith('add') ? 'ENOBUFS' : undefined);
    assert.deepEqual((await oneRound(reconciler, DESIRED)).outcomes, ['failed ENOBUFS', 'skipped']);
    assert.deepEqual(addresses(kernel), ['address 4.0.7.0/32 dev flannel0 scope global']);
  });

  it('wakes on addresses, and on links that take theirs along', async () => {
    const [kernel, reconciler] = hostWith();
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    kernel.foreign({ op: 'add-address', link: 'flannel0', address: parseAddress('4.0.7.0'), length: 32 });
    await settle();
    assert.ok(wakes > 0);
    wakes = 0;
    kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1400 });
    await settle();
    assert.ok(wakes > 0);
  });
});
