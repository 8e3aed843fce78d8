/** Links and addresses, and what hangs on them. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { parseAddress } from '../../src/model/address.js';
import type { NetlinkRequest } from '../../src/ports.js';
import {
  addAddress,
  CONNECTED,
  codes,
  deleteAddress,
  given,
  givenHost,
  route,
  routeLines,
  type WithKernel,
  worldTest,
} from './kernel-world.js';

export function linkContract(implementation: string, withKernel: WithKernel): void {
  const test = worldTest(withKernel);

  describe(`${implementation}: links`, () => {
    test('creates a TUN that is persistent, down and without carrier', async ({ netlink, tuns }) => {
      tuns.create('flannel0', { multiQueue: false });
      const { index, ...link } = (await netlink.links()).find(({ name }) => name === 'flannel0')!;
      assert.ok(index > 1);
      assert.deepEqual(link, {
        name: 'flannel0',
        kind: 'tun',
        mtu: 1500,
        up: false,
        carrier: false,
        tun: { mode: 'tun', persist: true, multiQueue: false },
      });
    });

    test('creates a TUN with several queues', async ({ netlink, tuns }) => {
      tuns.create('flannel0', { multiQueue: true });
      const link = (await netlink.links()).find(({ name }) => name === 'flannel0');
      assert.equal(link?.tun?.multiQueue, true);
    });

    test('leaves a TUN alone that is there already, held or not', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      await given(world, { op: 'set-link', name: 'flannel0', mtu: 1472, alias: 'flannelette flannel0' });
      const before = await world.netlink.links();
      world.tuns.create('flannel0', { multiQueue: true });
      assert.deepEqual(await world.netlink.links(), before);
      const release = world.holdTun('flannel0');
      world.tuns.create('flannel0', { multiQueue: false });
      release();
    });

    test('refuses a name that the kernel would cut off', async ({ netlink, tuns }) => {
      assert.throws(() => tuns.create('sixteen-letters-', { multiQueue: false }), { code: 'EINVAL' });
      assert.deepEqual(
        (await netlink.links()).map(({ name }) => name),
        ['lo'],
      );
    });

    test('shows carrier while a TUN is held, up or down', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      const carrier = async () =>
        (await world.netlink.links()).find(({ name }) => name === 'flannel0')?.carrier;
      const release = world.holdTun('flannel0');
      assert.equal(await carrier(), true);
      await given(world, { op: 'set-link', name: 'flannel0', up: true });
      assert.equal(await carrier(), true);
      release();
      assert.equal(await carrier(), false);
    });

    test('changes MTU, alias and state in one request', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      const alias = 'flannelette flannel0';
      await given(world, { op: 'set-link', name: 'flannel0', mtu: 1472, up: true, alias });
      const link = (await world.netlink.links()).find(({ name }) => name === 'flannel0');
      assert.deepEqual([link?.mtu, link?.up, link?.alias], [1472, true, alias]);
      await given(world, { op: 'set-link', name: 'flannel0', up: false, alias: '' });
      const after = (await world.netlink.links()).find(({ name }) => name === 'flannel0');
      assert.deepEqual([after?.mtu, after?.up, after?.alias], [1472, false, undefined]);
    });

    test('refuses an MTU out of bounds and changes nothing', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      const before = await world.netlink.links();
      const set = (mtu: number): NetlinkRequest => ({ op: 'set-link', name: 'flannel0', mtu, up: true });
      assert.deepEqual(await codes(world, set(67), set(65_536)), ['EINVAL', 'EINVAL']);
      assert.deepEqual(await world.netlink.links(), before);
    });

    test('refuses what names a link that is not there', async (world) => {
      const answers = await codes(
        world,
        { op: 'set-link', name: 'flannel0', up: true },
        { op: 'delete-link', name: 'flannel0' },
        addAddress('flannel0', '10.1.40.0/32'),
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'delete-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
      );
      assert.deepEqual(answers, new Array(5).fill('ENODEV'));
    });

    test('goes on with the rest of a batch after a refusal', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      const answers = await codes(
        world,
        { op: 'set-link', name: 'flannel0', mtu: 1472 },
        { op: 'set-link', name: 'flannel1', mtu: 1472 },
        { op: 'set-link', name: 'flannel0', up: true },
      );
      assert.deepEqual(answers, ['done', 'ENODEV', 'done']);
      const link = (await world.netlink.links()).find(({ name }) => name === 'flannel0');
      assert.deepEqual([link?.mtu, link?.up], [1472, true]);
    });

    test('says in an error what was asked, and why not', async ({ netlink }) => {
      const [error] = await netlink.request([
        { op: 'add-route', route: route('10.1.0.0/16', { via: parseAddress('192.0.2.1') }) },
      ]);
      assert.equal(
        error?.message,
        'Cannot add route 10.1.0.0/16 via 192.0.2.1: Nexthop has invalid gateway (ENETUNREACH)',
      );
    });

    test('deletes a link with its addresses and routes', async (world) => {
      await givenHost(world);
      await given(
        world,
        addAddress('flannel0', '10.1.40.0/32'),
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'delete-link', name: 'flannel0' },
      );
      assert.deepEqual((await world.netlink.links()).map(({ name }) => name).sort(), ['lo', 'u0', 'u1']);
      assert.ok(!(await world.netlink.addresses()).some(({ link }) => link === 'flannel0'));
      assert.deepEqual(await routeLines(world), [CONNECTED]);
    });

    test('loses the routes of a link that goes down, keeps its IPv4 address', async (world) => {
      await givenHost(world);
      await given(
        world,
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'u0' }) },
        { op: 'add-route', route: route('10.2.0.0/16', { via: parseAddress('10.8.64.1') }) },
        { op: 'set-link', name: 'u0', up: false },
      );
      assert.deepEqual(await routeLines(world), []);
      assert.ok((await world.netlink.addresses()).some(({ address }) => address === '10.8.64.11'));
      await given(world, { op: 'set-link', name: 'u0', up: true });
      assert.deepEqual(await routeLines(world), [CONNECTED]);
    });
  });

  describe(`${implementation}: addresses`, () => {
    test('adds a /32 with nothing but its local route', async (world) => {
      world.tuns.create('flannel0', { multiQueue: false });
      await given(world, addAddress('flannel0', '10.1.40.0/32'), {
        op: 'set-link',
        name: 'flannel0',
        up: true,
      });
      const held = (await world.netlink.addresses()).filter(({ address }) => !address.includes(':'));
      const address = parseAddress('10.1.40.0');
      assert.deepEqual(held, [
        {
          link: 'flannel0',
          address,
          length: 32,
          scope: 'global',
          deprecated: false,
          permanent: true,
          temporary: false,
          tentative: false,
        },
      ]);
      assert.deepEqual(await routeLines(world, ({ destination }) => !destination.includes(':')), [
        'route local 10.1.40.0/32 dev flannel0 table local proto kernel scope host src 10.1.40.0',
      ]);
    });

    test('tells addresses apart by link, address and length', async (world) => {
      await givenHost(world);
      const answers = await codes(
        world,
        addAddress('u0', '10.8.64.11/24'),
        addAddress('u0', '10.8.64.11/32'),
        deleteAddress('u0', '10.8.64.11/16'),
        deleteAddress('u0', '10.8.64.11/32'),
        deleteAddress('u0', '10.8.64.11/32'),
      );
      assert.deepEqual(answers, ['EEXIST', 'done', 'EADDRNOTAVAIL', 'done', 'EADDRNOTAVAIL']);
      assert.deepEqual(await routeLines(world), [CONNECTED]);
    });

    test('loses all IPv4 routes of a link with its last IPv4 address', async (world) => {
      await givenHost(world);
      await given(
        world,
        addAddress('flannel0', '10.1.40.0/32'),
        addAddress('flannel0', '10.1.41.0/32'),
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        deleteAddress('flannel0', '10.1.40.0/32'),
      );
      assert.deepEqual(await routeLines(world), ['route 10.1.0.0/16 dev flannel0 proto 77', CONNECTED]);
      await given(world, deleteAddress('flannel0', '10.1.41.0/32'));
      assert.deepEqual(await routeLines(world), [CONNECTED]);
    });

    test('makes and removes the route to the address’s network', async (world) => {
      await givenHost(world);
      assert.deepEqual(await routeLines(world), [CONNECTED]);
      await given(world, deleteAddress('u0', '10.8.64.11/24'));
      assert.deepEqual(await routeLines(world), []);
    });
  });
}
