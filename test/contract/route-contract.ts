/** Routes: what they are told apart by, what is refused, what the kernel chooses. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { type Address, parseAddress, parsePrefix } from '../../src/model/address.js';
import type { Netlink, NetlinkRequest, NetlinkRouteSpec } from '../../src/ports.js';
import { worldLines } from '../fakes/world-lines.js';
import {
  addAddress,
  CONNECTED,
  codes,
  FOREIGN,
  given,
  givenHost,
  MAIN,
  OURS,
  route,
  routeLines,
  type WithKernel,
  worldTest,
} from './kernel-world.js';

export function routeContract(implementation: string, withKernel: WithKernel): void {
  const test = worldTest(withKernel);

  describe(`${implementation}: routes`, () => {
    test('gives back a route as it was written', async (world) => {
      await givenHost(world);
      const via = parseAddress('10.8.64.12');
      await given(
        world,
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'add-route', route: route('10.2.0.0/16', { via, link: 'u0', metric: 7, table: 1000 }) },
        {
          op: 'add-route',
          route: route('10.3.0.0/16', { via: parseAddress('192.0.2.1'), link: 'u0', onlink: true }),
        },
        { op: 'add-route', route: route('10.4.0.0/16', { link: 'u0', scope: 'link', tos: 8 }) },
      );
      const ours = await world.netlink.routes({ protocol: OURS });
      assert.deepEqual(worldLines({ links: [], addresses: [], routes: ours }), [
        'route 10.1.0.0/16 dev flannel0 proto 77',
        'route 10.2.0.0/16 via 10.8.64.12 dev u0 table 1000 metric 7 proto 77',
        'route 10.3.0.0/16 via 192.0.2.1 dev u0 proto 77 onlink',
        'route 10.4.0.0/16 dev u0 tos 8 proto 77 scope link',
      ]);
    });

    test('lists one table, one protocol, and a table that nobody has used', async (world) => {
      await givenHost(world);
      await given(
        world,
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'add-route', route: route('10.2.0.0/16', { link: 'u0', protocol: FOREIGN }) },
        { op: 'add-route', route: route('10.3.0.0/16', { link: 'u0', table: 1000 }) },
      );
      const destinations = async (filter: { table?: number; protocol?: number }) =>
        (await world.netlink.routes(filter)).map(({ destination }) => destination).sort();
      assert.deepEqual(await destinations({ protocol: OURS }), ['10.1.0.0/16', '10.3.0.0/16']);
      assert.deepEqual(await destinations({ table: MAIN, protocol: OURS }), ['10.1.0.0/16']);
      assert.deepEqual(await destinations({ table: 1000 }), ['10.3.0.0/16']);
      assert.deepEqual(await destinations({ table: 4711 }), []);
    });

    test('has one route for a destination, TOS and metric, whoever made it', async (world) => {
      await givenHost(world);
      const add = (rest: Partial<NetlinkRouteSpec>): NetlinkRequest => ({
        op: 'add-route',
        route: route('10.1.0.0/16', { link: 'flannel0', ...rest }),
      });
      const answers = await codes(
        world,
        add({ protocol: FOREIGN }),
        add({}),
        add({ link: 'u0' }),
        add({ metric: 5 }),
        add({ tos: 8 }),
        add({ table: 1000 }),
      );
      assert.deepEqual(answers, ['done', 'EEXIST', 'EEXIST', 'done', 'done', 'done']);
    });

    test('replaces whatever is in the place, also a foreign route', async (world) => {
      await givenHost(world);
      await given(
        world,
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'u0', protocol: FOREIGN }) },
        { op: 'replace-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'replace-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'replace-route', route: route('10.2.0.0/16', { link: 'flannel0' }) },
      );
      assert.deepEqual(await routeLines(world), [
        'route 10.1.0.0/16 dev flannel0 proto 77',
        'route 10.2.0.0/16 dev flannel0 proto 77',
        CONNECTED,
      ]);
    });

    test('deletes no route of another protocol, link, gateway or metric', async (world) => {
      await givenHost(world);
      const via = parseAddress('10.8.64.12');
      const there = route('10.1.0.0/16', { link: 'u0', via, metric: 5, protocol: FOREIGN });
      await given(world, { op: 'add-route', route: there });
      const remove = (rest: Partial<NetlinkRouteSpec>): NetlinkRequest => ({
        op: 'delete-route',
        route: { ...there, ...rest },
      });
      const answers = await codes(
        world,
        remove({ protocol: OURS }),
        remove({ link: 'flannel0' }),
        remove({ via: parseAddress('10.8.64.13') }),
        remove({ metric: 6 }),
        remove({ tos: 8 }),
        remove({ table: 1000 }),
        remove({ destination: parsePrefix('10.1.0.0/17') }),
        remove({}),
        remove({}),
      );
      assert.deepEqual(answers, [...new Array(7).fill('ESRCH'), 'done', 'ESRCH']);
    });

    test('deletes a route of any scope', async (world) => {
      await givenHost(world);
      for (const scope of ['global', 'site', 'link', 'host'] as const) {
        await given(world, { op: 'add-route', route: route('10.1.0.0/16', { link: 'u0', scope }) });
        await given(world, { op: 'delete-route', route: route('10.1.0.0/16', { link: 'u0' }) });
      }
      assert.deepEqual(await routeLines(world), [CONNECTED]);
    });

    const via = parseAddress('10.8.64.12');
    const own = parseAddress('10.8.64.11');
    const far = parseAddress('192.0.2.1');
    const refusals: readonly [name: string, rest: Partial<NetlinkRouteSpec>, want: string][] = [
      ['no next hop', {}, 'ENODEV'],
      ['a link that is down', { link: 'd0' }, 'ENETDOWN'],
      ['a gateway that is on no link', { via: far }, 'ENETUNREACH'],
      ['a gateway that is on another link', { via, link: 'flannel0' }, 'ENETUNREACH'],
      ['a gateway that is the broadcast address', { via: parseAddress('10.8.64.255') }, 'EINVAL'],
      ['a gateway and the scope of a link', { via, scope: 'link' }, 'ENETUNREACH'],
      ['a gateway and the scope of the host', { via, link: 'u0', scope: 'host' }, 'EINVAL'],
      ['the scope nowhere', { link: 'u0', scope: 'nowhere' }, 'EINVAL'],
      ['onlink without a link', { via: far, onlink: true }, 'ENODEV'],
      ['onlink without a gateway', { link: 'u0', onlink: true }, 'EINVAL'],
      ['onlink over a link that is down', { via: far, link: 'd0', onlink: true }, 'ENETDOWN'],
      ['onlink to an own address', { via: own, link: 'u0', onlink: true }, 'EINVAL'],
      ['a TOS with ECN bits', { link: 'u0', tos: 1 }, 'EINVAL'],
    ];
    for (const [name, rest, want] of refusals) {
      test(`refuses a route with ${name}`, async (world) => {
        await givenHost(world);
        world.tuns.create('d0', { multiQueue: false });
        const request: NetlinkRequest = { op: 'add-route', route: route('10.1.0.0/16', rest) };
        assert.deepEqual(await codes(world, request), [want]);
        assert.deepEqual(await routeLines(world), [CONNECTED]);
      });
    }

    test('writes IPv6 routes, with the metric that the kernel gives', async (world) => {
      await givenHost(world);
      const answers = await codes(
        world,
        { op: 'add-route', route: route('fd00:1::/48', { link: 'flannel0' }) },
        { op: 'add-route', route: route('fd00:1::/48', { link: 'flannel0', metric: 1024 }) },
        { op: 'add-route', route: route('fd00:2::/48', { via: parseAddress('fd00:9::1') }) },
        { op: 'replace-route', route: route('fd00:1::/48', { link: 'u0' }) },
        { op: 'delete-route', route: route('fd00:1::/48', { protocol: FOREIGN }) },
      );
      assert.deepEqual(answers, ['done', 'EEXIST', 'EHOSTUNREACH', 'done', 'ESRCH']);
      const ours = await routeLines(world, ({ protocol }) => protocol === OURS);
      assert.deepEqual(ours, ['route fd00:1::/48 dev u0 metric 1024 proto 77']);
    });
  });

  describe(`${implementation}: the kernel’s choice of a route`, () => {
    const choices: readonly [destination: string, want: Awaited<ReturnType<Netlink['routeTo']>>][] = [
      ['10.8.64.99', { link: 'u0', source: '10.8.64.11' as Address }],
      ['10.2.0.1', { link: 'u0', source: '10.8.64.11' as Address, via: '10.8.64.12' as Address }],
      ['10.1.7.1', { link: 'flannel0', source: '10.1.40.0' as Address }],
      ['10.8.64.11', { link: 'lo', source: '10.8.64.11' as Address }],
      ['198.51.100.1', undefined],
      ['2001:db8::1', undefined],
    ];
    test('is told', async (world) => {
      await givenHost(world);
      await given(
        world,
        { op: 'set-link', name: 'lo', up: true },
        addAddress('flannel0', '10.1.40.0/32'),
        { op: 'add-route', route: route('10.1.0.0/16', { link: 'flannel0' }) },
        { op: 'add-route', route: route('10.2.0.0/16', { via: parseAddress('10.8.64.12') }) },
      );
      for (const [destination, want] of choices) {
        assert.deepEqual(await world.netlink.routeTo(parseAddress(destination)), want, destination);
      }
    });
  });
}
