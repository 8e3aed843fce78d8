/** What the kernel wakes on, and what it is silent about. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Prefix, parseAddress, parsePrefix } from '../../src/model/address.js';
import type { NetlinkGroup, NetlinkRequest } from '../../src/ports.js';
import { eventually } from '../lab/eventually.js';
import {
  addAddress,
  deleteAddress,
  given,
  givenHost,
  route,
  WAKE_MS,
  type WithKernel,
  worldTest,
} from './kernel-world.js';

const NEIGHBOUR = {
  op: 'replace-neighbour',
  link: 'u0',
  address: parseAddress('10.8.64.12'),
  mac: '66:6c:0a:08:40:0c',
} as const satisfies NetlinkRequest;

export function kernelEventContract(implementation: string, withKernel: WithKernel): void {
  const test = worldTest(withKernel);

  describe(`${implementation}: events`, () => {
    const events: readonly [group: NetlinkGroup, name: string, request: NetlinkRequest][] = [
      ['link', 'a link', { op: 'set-link', name: 'flannel0', mtu: 1400 }],
      ['link', 'a link’s state', { op: 'set-link', name: 'flannel0', up: false }],
      ['link', 'a link that is deleted', { op: 'delete-link', name: 'flannel0' }],
      ['ipv4-address', 'an IPv4 address', addAddress('flannel0', '10.1.40.0/32')],
      ['ipv6-address', 'an IPv6 address', addAddress('flannel0', 'fd00::1/128')],
      ['ipv4-route', 'an IPv4 route', { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) }],
      ['ipv4-route', 'the local route of a new address', addAddress('flannel0', '10.1.40.0/32')],
      ['ipv4-route', 'the local route of an address that is deleted', deleteAddress('u0', '10.8.64.11/24')],
      ['neighbour', 'a neighbour', NEIGHBOUR],
      ['ipv6-route', 'an IPv6 route', { op: 'add-route', route: route('fd00:1::/48', { link: 'flannel0' }) }],
    ];
    for (const [group, name, request] of events) {
      test(`wake on ${name}`, async (world) => {
        await givenHost(world);
        const end = new AbortController();
        try {
          let wakes = 0;
          world.netlink.watch([group], () => wakes++, end.signal);
          await given(world, request);
          await eventually(`a wake of ${group}`, WAKE_MS, () => assert.ok(wakes > 0, `${wakes} wakes`));
        } finally {
          end.abort();
        }
      });
    }

    test('say nothing of the IPv4 routes that go with their link', async (world) => {
      await givenHost(world);
      await given(world, { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) });
      const end = new AbortController();
      try {
        const woken: string[] = [];
        world.netlink.watch(['ipv4-route'], () => woken.push('route'), end.signal);
        world.netlink.watch(['link'], () => woken.push('link'), end.signal);
        await given(world, { op: 'delete-link', name: 'flannel0' });
        await eventually('a wake by the link', WAKE_MS, () => assert.ok(woken.includes('link')));
        assert.ok(!woken.includes('route'), woken.join());
      } finally {
        end.abort();
      }
    });

    test('of neighbours wake on those of the devices that are asked for', async (world) => {
      await givenHost(world);
      const end = new AbortController();
      try {
        const woken: string[] = [];
        let devices = ['flannel0'];
        const watch = (who: string, on?: () => readonly string[]) =>
          world.netlink.watch(['neighbour'], () => woken.push(who), end.signal, on);
        watch('some', () => devices);
        watch('all');
        await given(world, NEIGHBOUR);
        await eventually('a wake of all', WAKE_MS, () => assert.ok(woken.includes('all')));
        assert.ok(!woken.includes('some'), woken.join());
        devices = ['u0'];
        await given(world, { ...NEIGHBOUR, mac: '66:6c:0a:08:40:0d' });
        await eventually('a wake of some', WAKE_MS, () => assert.ok(woken.includes('some')));
      } finally {
        end.abort();
      }
    });

    for (const [network, inside, outside] of [
      ['10.1.0.0/16', '10.1.7.0/24', '10.0.7.0/24'],
      ['10.1.32.0/20', '10.1.47.0/24', '10.1.48.0/24'],
      ['10.1.7.0/24', '10.1.7.9/32', '10.1.6.9/32'],
      ['6d00:1::/48', '6d00:1:0:7::/64', '6d00:1:1::/64'],
      ['6d00:1::/61', '6d00:1:0:7::/64', '6d00:1:0:8::/64'],
    ] as const) {
      test(`of routes say whether one leads into ${network} and is somebody else's`, async (world) => {
        await givenHost(world);
        const end = new AbortController();
        try {
          const woken: string[] = [];
          const watch = (who: string, within: Prefix) =>
            world.netlink.watchRoutes(
              { ours: 77, networks: () => [within] },
              (isForeign) => woken.push(isForeign ? `${who}: foreign` : who),
              end.signal,
            );
          watch('inside', parsePrefix(network));
          watch('everywhere', parsePrefix(network.includes(':') ? '::/1' : '0.0.0.0/1'));
          const change = (
            op: 'add-route' | 'replace-route',
            destination: string,
            protocol: number,
            table = 254,
          ) =>
            given(world, {
              op,
              route: { ...route(destination, { link: 'flannel0', table }), protocol },
            } as NetlinkRequest);
          const isWoken = (who: string) =>
            eventually(`a wake of ${who}`, WAKE_MS, () => assert.ok(woken.includes(who), woken.join()));
          // Ours, one of another table, and one that is next to the network.
          await change('add-route', inside, 77);
          await isWoken('inside');
          await change('add-route', inside, 4, 9);
          await change('add-route', outside, 4);
          await isWoken('everywhere: foreign');
          assert.ok(!woken.includes('inside: foreign'), woken.join());
          await change('replace-route', inside, 4);
          await isWoken('inside: foreign');
        } finally {
          end.abort();
        }
      });
    }

    test('wake nobody who has gone', async (world) => {
      await givenHost(world);
      const [gone, end] = [new AbortController(), new AbortController()];
      try {
        const woken: string[] = [];
        world.netlink.watch(['link'], () => woken.push('gone'), gone.signal);
        world.netlink.watch(['link'], () => woken.push('never came'), AbortSignal.abort());
        world.netlink.watch(['link'], () => woken.push('here'), end.signal);
        gone.abort();
        await given(world, { op: 'set-link', name: 'flannel0', mtu: 1400 });
        await eventually('a wake', WAKE_MS, () => assert.ok(woken.includes('here')));
        assert.deepEqual([...new Set(woken)], ['here']);
      } finally {
        gone.abort();
        end.abort();
      }
    });
  });
}
