/** VXLAN devices, and the neighbours and forwarding entries that lie on them. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { parseAddress } from '../../src/model/address.js';
import type { VxlanState } from '../../src/model/objects.js';
import type { NetlinkRequest, SystemError } from '../../src/ports.js';
import { worldLines } from '../fakes/world-lines.js';
import { codes, given, givenHost, type KernelWorld, type WithKernel, worldTest } from './kernel-world.js';

const VXLAN: VxlanState = {
  vni: 1,
  port: 8472,
  local: parseAddress('10.8.64.11'),
  underlay: 'u0',
  learning: false,
  gbp: false,
  mac: '66:6c:0a:08:40:0b',
  txChecksumOffload: true,
};
const MAC = '66:6c:0a:08:40:0c';
const PEER = parseAddress('10.1.41.0');
const HOST = parseAddress('10.8.64.12');
const DEVICE = 'flannel.1';

export function vxlanContract(implementation: string, withKernel: WithKernel): void {
  const test = worldTest(withKernel);

  describe(`${implementation}: VXLAN devices`, () => {
    test('are made as asked: down, with the MTU that the underlay leaves', async (world) => {
      await givenHost(world);
      const ipv6 = { ...VXLAN, vni: 2, local: parseAddress('fd00::1'), learning: true, gbp: true };
      const { underlay: _, ...alone } = { ...VXLAN, vni: 3, port: 4789 };
      await given(world, add(DEVICE, VXLAN), add('flannel-v6.2', ipv6), add('vx3', alone));
      const made = (await world.netlink.links()).flatMap((link) => {
        const { name, kind, mtu, up, vxlan } = link;
        return vxlan === undefined ? [] : [{ name, kind, mtu, up, vxlan }];
      });
      const shape = { kind: 'vxlan', up: false };
      assert.deepEqual(made, [
        { ...shape, name: DEVICE, mtu: 1450, vxlan: VXLAN },
        { ...shape, name: 'flannel-v6.2', mtu: 1430, vxlan: ipv6 },
        { ...shape, name: 'vx3', mtu: 1500, vxlan: alone },
      ]);
    });

    test('are one for each name, and for each VNI and port', async (world) => {
      await givenHost(world);
      await given(world, add(DEVICE, VXLAN));
      const answers = await codes(
        world,
        add(DEVICE, { ...VXLAN, vni: 2 }),
        add('other', VXLAN),
        add('other', { ...VXLAN, port: 4789 }),
        add('third', { ...VXLAN, vni: 2, underlay: 'none0' }),
      );
      assert.deepEqual(answers, ['EEXIST', 'EEXIST', 'done', 'ENODEV']);
    });

    test('are not known yet to the rest of the batch that makes them', async (world) => {
      await givenHost(world);
      const answers = await codes(world, add(DEVICE, VXLAN), { op: 'set-link', name: DEVICE, up: true });
      assert.deepEqual(answers, ['done', 'ENODEV']);
    });

    test('take no MTU that the underlay has no room for', async (world) => {
      await givenHost(world);
      await given(world, add(DEVICE, VXLAN));
      const set = (mtu: number): NetlinkRequest => ({ op: 'set-link', name: DEVICE, mtu });
      assert.deepEqual(await codes(world, set(1451), set(1450), set(1300)), ['EINVAL', 'done', 'done']);
    });

    test('get another MAC while they are up, and forget their neighbours with it', async (world) => {
      await givenVxlan(world);
      await given(world, { op: 'set-link', name: DEVICE, mac: '66:6c:00:00:00:01' });
      const device = (await world.netlink.links()).find(({ name }) => name === DEVICE);
      assert.deepEqual([device?.up, device?.vxlan?.mac], [true, '66:6c:00:00:00:01']);
      assert.deepEqual(await entries(world), [`fdb ${MAC} dst 10.8.64.12 dev flannel.1 permanent`]);
    });

    test('make their checksums themselves when told to, and tell so', async (world) => {
      await givenHost(world);
      await given(world, add(DEVICE, VXLAN));
      const offload = async () =>
        (await world.netlink.links()).find(({ name }) => name === DEVICE)?.vxlan?.txChecksumOffload;
      await world.netlink.setTxChecksumOffload(DEVICE, false);
      assert.equal(await offload(), false);
      await world.netlink.setTxChecksumOffload(DEVICE, true);
      assert.equal(await offload(), true);
      await assert.rejects(
        world.netlink.setTxChecksumOffload('none0', false),
        (error: SystemError) => error.code === 'ENODEV',
      );
    });

    test('go with the device below them', async (world) => {
      await givenVxlan(world);
      await given(world, { op: 'delete-link', name: 'u0' });
      assert.ok(!(await world.netlink.links()).some(({ name }) => name === DEVICE));
      assert.deepEqual(await entries(world), []);
    });
  });

  describe(`${implementation}: neighbours and forwarding entries`, () => {
    test('are replaced by address and by MAC, and deleted once', async (world) => {
      await givenVxlan(world);
      const [moved, other] = [parseAddress('10.8.64.13'), '66:6c:0a:08:40:0d'];
      await given(
        world,
        { op: 'replace-neighbour', link: DEVICE, address: PEER, mac: other },
        { op: 'replace-fdb', link: DEVICE, mac: MAC, destination: moved },
        { op: 'replace-fdb', link: DEVICE, mac: other, destination: moved },
      );
      assert.deepEqual(await entries(world), [
        `fdb ${MAC} dst 10.8.64.13 dev flannel.1 permanent`,
        `fdb ${other} dst 10.8.64.13 dev flannel.1 permanent`,
        `neighbour 10.1.41.0 lladdr ${other} dev flannel.1 permanent`,
      ]);
      const answers = await codes(
        world,
        { op: 'delete-neighbour', link: DEVICE, address: PEER, mac: other },
        { op: 'delete-neighbour', link: DEVICE, address: PEER, mac: other },
        { op: 'delete-fdb', link: DEVICE, mac: MAC, destination: parseAddress('10.8.64.12') },
        { op: 'delete-fdb', link: DEVICE, mac: MAC, destination: moved },
        { op: 'delete-fdb', link: DEVICE, mac: MAC, destination: moved },
        { op: 'delete-neighbour', link: 'none0', address: PEER, mac: other },
      );
      assert.deepEqual(answers, ['done', 'ENOENT', 'done', 'done', 'ENOENT', 'ENODEV']);
      assert.deepEqual(await entries(world), [`fdb ${other} dst 10.8.64.13 dev flannel.1 permanent`]);
    });

    test('may name a port, a VNI and a way of their own, and are themselves with those alone', async (world) => {
      await givenVxlan(world);
      const way = { op: 'replace-fdb', link: DEVICE, mac: MAC, destination: HOST } as const;
      const overrides = { port: 9_999, vni: 7, via: 1 };
      await given(world, { ...way, overrides });
      const [odd] = await world.netlink.fdb(DEVICE);
      assert.deepEqual(odd?.overrides, overrides);
      const rest = { link: DEVICE, mac: MAC, destination: HOST };
      assert.deepEqual(await codes(world, { op: 'delete-fdb', ...rest }), ['done']);
      assert.deepEqual(await world.netlink.fdb(DEVICE), [odd]);
      await given(world, { ...way, overrides: { port: 4_789 } }, way);
      assert.deepEqual(await world.netlink.fdb(DEVICE), [{ ...rest, permanent: true }]);
      await given(world, { ...way, overrides }, { op: 'delete-fdb', ...rest, overrides });
      assert.deepEqual(await world.netlink.fdb(DEVICE), []);
    });

    test('are refused where they do not fit', async (world) => {
      await givenVxlan(world);
      const answers = await codes(
        world,
        { op: 'replace-fdb', link: DEVICE, mac: MAC, destination: parseAddress('fd00::1') },
        { op: 'replace-fdb', link: 'flannel0', mac: MAC, destination: parseAddress('10.8.64.12') },
      );
      assert.ok(!answers.includes('done'), answers.join());
    });

    test('of a device that goes down: neighbours are lost, forwarding entries stay', async (world) => {
      await givenVxlan(world);
      await given(world, { op: 'set-link', name: DEVICE, up: false });
      assert.deepEqual(await entries(world), [`fdb ${MAC} dst 10.8.64.12 dev flannel.1 permanent`]);
    });

    test('of a device that is not there are none', async ({ netlink }) => {
      assert.deepEqual([await netlink.neighbours('none0'), await netlink.fdb('none0')], [[], []]);
    });
  });
}

function add(name: string, vxlan: VxlanState): NetlinkRequest {
  return { op: 'add-vxlan', name, vxlan };
}

/** The host with a VXLAN device that is up, and one peer behind it. */
async function givenVxlan(world: KernelWorld): Promise<void> {
  await givenHost(world);
  await given(world, add(DEVICE, VXLAN));
  await given(
    world,
    { op: 'set-link', name: DEVICE, up: true },
    { op: 'replace-neighbour', link: DEVICE, address: PEER, mac: MAC },
    { op: 'replace-fdb', link: DEVICE, mac: MAC, destination: HOST },
  );
}

/** Those that somebody wrote: the kernel knows a neighbour for each multicast group by itself. */
async function entries({ netlink }: KernelWorld): Promise<readonly string[]> {
  const [neighbours, fdb] = [await netlink.neighbours(DEVICE), await netlink.fdb(DEVICE)];
  const written = neighbours.filter(({ permanent }) => permanent);
  return worldLines({ links: [], addresses: [], routes: [], neighbours: written, fdb });
}
