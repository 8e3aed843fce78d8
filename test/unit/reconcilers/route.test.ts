import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Prefix, parseAddress, parsePrefix } from '../../../src/model/address.js';
import type { Desired } from '../../../src/model/diff.js';
import { routeKey } from '../../../src/model/keys.js';
import type { RouteState } from '../../../src/model/objects.js';
import type { Netlink } from '../../../src/ports.js';
import { NetworkRecord } from '../../../src/reconcilers/network-record.js';
import { routeReconciler } from '../../../src/reconcilers/route.js';
import type { Scope } from '../../../src/reconcilers/scope.js';
import { FakeClock, settle } from '../../fakes/fake-clock.js';
import { FakeFiles } from '../../fakes/fake-files.js';
import { type FakeKernel, fakeHost } from '../../fakes/fake-kernel.js';
import { NOTHING_TO_DO, oneRound, outcomes } from './one-round.js';

const OURS = 77;
const SCOPE = { devices: ['flannel0'], networks: [parsePrefix('4.0.0.0/16')] };
const GATEWAY = parseAddress('10.8.64.1');

function wanting(change: Partial<RouteState> = {}): Desired<RouteState>[] {
  const state: RouteState = {
    destination: parsePrefix('4.0.0.0/16'),
    table: 254,
    tos: 0,
    metric: 0,
    link: 'flannel0',
    onlink: false,
    type: 'unicast',
    scope: 'global',
    ...change,
  };
  return [{ key: routeKey(state), state }];
}

type Route = Parameters<FakeKernel['addRoute']>[0];

const RECORD = '/run/flannelette/flannel0.networks.json';

function reconcilerOf(
  netlink: Netlink,
  {
    files = new FakeFiles(),
    scope = () => SCOPE,
    clock = new FakeClock(),
  }: { files?: FakeFiles; scope?: () => Scope; clock?: FakeClock } = {},
): ReturnType<typeof routeReconciler> {
  return routeReconciler(netlink, OURS, scope, new NetworkRecord(files, RECORD), clock);
}

/** `eth0` with a default route, `flannel0` up, and `routes`. */
function hostWith(
  ...routes: readonly Partial<Route>[]
): readonly [FakeKernel, ReturnType<typeof routeReconciler>] {
  const kernel = fakeHost();
  kernel.tuns.create('flannel0', { multiQueue: false });
  kernel.foreign({ op: 'set-link', name: 'flannel0', up: true });
  for (const route of routes) {
    kernel.addRoute({ destination: parsePrefix('4.0.0.0/16'), link: 'flannel0', protocol: OURS, ...route });
  }
  kernel.log.length = 0;
  return [kernel, reconcilerOf(kernel.netlink)];
}

/** Without those of `eth0`'s own network. */
function routes(kernel: FakeKernel): readonly string[] {
  return kernel
    .lines()
    .filter((line) => line.startsWith('route ') && !/ (10\.8\.64\.0|0\.0\.0\.0)\//.test(line));
}

const IN_PLACE = ['route 4.0.0.0/16 dev flannel0 proto 77'];

describe('route reconciler', () => {
  it('adds the route with our protocol number, once', async () => {
    const [kernel, reconciler] = hostWith();
    assert.deepEqual(await oneRound(reconciler, wanting()), {
      plan: ['create route:4.0.0.0/16: missing'],
      foreign: [],
      outcomes: ['done'],
    });
    assert.deepEqual(routes(kernel), IN_PLACE);
    assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
    assert.equal(kernel.log.length, 1);
  });

  for (const { name, have, reason } of [
    {
      name: 'another device',
      have: { link: 'eth0', scope: 'link' },
      reason: 'dev eth0, want flannel0; scope link, want global',
    },
    {
      name: 'a gateway',
      have: { link: 'eth0', via: GATEWAY },
      reason: 'dev eth0, want flannel0; via 10.8.64.1, want none',
    },
    { name: 'another scope', have: { scope: 'link' }, reason: 'scope link, want global' },
  ] as const) {
    it(`replaces a route of ours over ${name}, in place`, async () => {
      const [kernel, reconciler] = hostWith(have);
      const round = await oneRound(reconciler, wanting());
      assert.deepEqual(round.plan, [`update route:4.0.0.0/16: ${reason}`]);
      assert.deepEqual(round.outcomes, ['done']);
      assert.deepEqual(kernel.log, ['replace route 4.0.0.0/16 dev flannel0']);
      assert.deepEqual(routes(kernel), IN_PLACE);
    });
  }

  it('deletes a route of ours that is not wanted any more, over our device or into our network', async () => {
    const [kernel, reconciler] = hostWith(
      { destination: parsePrefix('10.5.0.0/16') },
      { destination: parsePrefix('4.0.7.0/24'), link: 'eth0', via: GATEWAY },
      {},
    );
    assert.deepEqual((await oneRound(reconciler, wanting())).plan, [
      'delete route:10.5.0.0/16: not wanted any more',
      'delete route:4.0.7.0/24: not wanted any more',
    ]);
    assert.deepEqual(routes(kernel), IN_PLACE);
  });

  it('deletes one into the network of the file too, which the store may have refused', async () => {
    const [kernel] = hostWith({ destination: parsePrefix('4.9.0.0/24'), link: 'eth0', via: GATEWAY }, {});
    const scope = () => ({ ...SCOPE, declared: [parsePrefix('4.9.0.0/16')] });
    const { plan } = await oneRound(reconcilerOf(kernel.netlink, { scope }), wanting());
    assert.deepEqual(plan, ['delete route:4.9.0.0/24: not wanted any more']);
    assert.deepEqual(routes(kernel), IN_PLACE);
  });

  it('finds its routes in other tables and with other metrics', async () => {
    const [kernel, reconciler] = hostWith({ table: 100 }, { metric: 5 });
    assert.deepEqual((await oneRound(reconciler, [])).plan, [
      'delete route:4.0.0.0/16 metric 5: not wanted any more',
      'delete route:4.0.0.0/16 table 100: not wanted any more',
    ]);
    assert.deepEqual(routes(kernel), []);
  });

  it('leaves routes of our number alone that are neither over our device nor into our network', async () => {
    const [kernel, reconciler] = hostWith({
      destination: parsePrefix('10.5.0.0/16'),
      link: 'eth0',
      via: GATEWAY,
    });
    const before = kernel.lines();
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
    assert.deepEqual(kernel.lines(), before);
  });

  for (const { name, have, conflict } of [
    {
      name: 'of another protocol over another device',
      have: { protocol: 4, link: 'eth0', via: GATEWAY },
      conflict: 'dev eth0, want flannel0; via 10.8.64.1, want none',
    },
    {
      name: 'that leads nowhere',
      have: { protocol: 4, type: 'blackhole', link: undefined },
      conflict: 'dev none, want flannel0; type blackhole, want unicast',
    },
    {
      name: 'that differs in its type alone',
      have: { protocol: 4, type: 'multicast', link: 'flannel0' },
      conflict: 'type multicast, want unicast',
    },
    {
      name: 'with several next hops',
      have: { protocol: 4, multipath: true, link: undefined },
      conflict: 'dev none, want flannel0; type multipath, want unicast',
    },
  ] as const) {
    it(`says that a route ${name} is in the way, and does not touch it`, async () => {
      const { link, ...rest } = have;
      const [kernel] = hostWith();
      const reconciler = reconcilerOf(kernel.netlink);
      kernel.addRoute({ destination: parsePrefix('4.0.0.0/16'), ...rest, ...(link && { link }) });
      const before = kernel.lines();
      assert.deepEqual(await oneRound(reconciler, wanting()), {
        plan: [],
        foreign: [`route:4.0.0.0/16: not ours: ${conflict}`],
        outcomes: [],
      });
      assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
      assert.deepEqual(kernel.lines(), before);
    });
  }

  it('takes no route for ours that we could not have written, whatever its number', async () => {
    const [kernel, reconciler] = hostWith();
    const destination = parsePrefix('4.0.0.0/16');
    kernel.addRoute({ destination, protocol: OURS, type: 'blackhole' });
    kernel.addRoute({ destination, protocol: OURS, multipath: true, table: 100 });
    const before = kernel.lines();
    assert.match((await oneRound(reconciler, wanting())).foreign.join(), /type blackhole, want unicast/);
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
    assert.deepEqual(kernel.lines(), before);
  });

  it("takes somebody else's equal route as good as ours, and lets it be", async () => {
    const [kernel, reconciler] = hostWith({ protocol: 3 });
    assert.deepEqual(await oneRound(reconciler, wanting()), NOTHING_TO_DO);
    assert.deepEqual(await oneRound(reconciler, []), NOTHING_TO_DO);
    assert.deepEqual(routes(kernel), ['route 4.0.0.0/16 dev flannel0 proto boot']);
  });

  it('judges the first of several routes of one identity: the kernel uses that one', async () => {
    const [kernel, reconciler] = hostWith({ protocol: 4, link: 'eth0', via: GATEWAY }, {});
    assert.match(
      (await oneRound(reconciler, wanting())).foreign.join(),
      /^route:4\.0\.0\.0\/16: not ours: dev/,
    );
    assert.equal(routes(kernel).length, 2);
  });

  it("leaves others' routes unread while its own are in place, and looks at all of them once a minute", async () => {
    const [kernel] = hostWith({});
    const clock = new FakeClock();
    const asked: unknown[] = [];
    const netlink: Netlink = {
      ...kernel.netlink,
      routes: (filter) => {
        asked.push(filter);
        return kernel.netlink.routes(filter);
      },
    };
    const reconciler = reconcilerOf(netlink, { clock });
    const readsAll = async () => {
      asked.length = 0;
      await oneRound(reconciler, wanting());
      return asked.some((filter) => !(filter as { protocol?: number }).protocol);
    };
    assert.deepEqual([await readsAll(), await readsAll(), await readsAll()], [true, false, false]);
    await clock.advance(60_000);
    assert.deepEqual([await readsAll(), await readsAll()], [true, false]);
    // What was in our place when it was taken away may be anybody's.
    kernel.foreign({ op: 'set-link', name: 'flannel0', up: false });
    kernel.foreign({ op: 'set-link', name: 'flannel0', up: true });
    kernel.addRoute({ destination: parsePrefix('4.0.0.0/16'), protocol: 4, link: 'eth0', via: GATEWAY });
    assert.deepEqual([await readsAll(), await readsAll()], [true, true]);
  });

  it('plans for a device that will be made anew as if no route led over it', async () => {
    const [, reconciler] = hostWith({});
    const observed = await reconciler.observe(wanting(), new AbortController().signal, new Set(['flannel0']));
    assert.deepEqual(
      reconciler.diff(wanting(), observed).actions.map(({ verb }) => verb),
      ['create'],
    );
  });

  it('does not overwrite what came into its place since it was planned', async () => {
    const [kernel, reconciler] = hostWith();
    const { actions } = reconciler.diff(wanting(), []);
    kernel.addRoute({
      destination: parsePrefix('4.0.0.0/16'),
      protocol: 4,
      link: 'eth0',
      via: GATEWAY,
    });
    assert.deepEqual(await outcomes(reconciler, actions), ['failed EEXIST']);
    assert.deepEqual(routes(kernel), ['route 4.0.0.0/16 via 10.8.64.1 dev eth0 proto static']);
  });

  it('takes a route that is gone already for deleted, also when its device is', async () => {
    const [kernel, reconciler] = hostWith({});
    const { actions } = reconciler.diff([], await reconciler.observe([], new AbortController().signal));
    kernel.foreign({ op: 'set-link', name: 'flannel0', up: false });
    assert.deepEqual(await outcomes(reconciler, actions), ['unchanged']);
    kernel.foreign({ op: 'delete-link', name: 'flannel0' });
    assert.deepEqual(await outcomes(reconciler, actions), ['unchanged']);
  });

  it('does not delete a route that somebody else has put in the place of ours', async () => {
    const [kernel, reconciler] = hostWith({});
    const { actions } = reconciler.diff([], await reconciler.observe([], new AbortController().signal));
    kernel.foreign(
      { op: 'set-link', name: 'flannel0', up: false },
      { op: 'set-link', name: 'flannel0', up: true },
    );
    kernel.addRoute({ destination: parsePrefix('4.0.0.0/16'), protocol: 4, link: 'flannel0' });
    assert.deepEqual(await outcomes(reconciler, actions), ['unchanged']);
    assert.deepEqual(routes(kernel), ['route 4.0.0.0/16 dev flannel0 proto static']);
  });

  it('fails with what the kernel says when its device is absent', async () => {
    const [kernel, reconciler] = hostWith();
    kernel.foreign({ op: 'delete-link', name: 'flannel0' });
    assert.deepEqual((await oneRound(reconciler, wanting())).outcomes, ['failed ENODEV']);
  });

  describe('over the external interface', () => {
    const FORMER = parsePrefix('4.1.0.0/16');
    const peer = (destination: string) =>
      wanting({ destination: parsePrefix(destination), link: 'eth0', via: GATEWAY });
    /** In a network that changes; `undefined`: nothing can be told of it. */
    const moving = () => {
      const [kernel] = hostWith();
      const files = new FakeFiles();
      const world = { kernel, files, networks: [FORMER] as readonly Prefix[] };
      const scope = () => ({ devices: ['flannel0'], networks: world.networks });
      // Another process each time.
      return {
        ...world,
        move: (to: readonly Prefix[]) => (world.networks = to),
        begin: () => reconcilerOf(kernel.netlink, { files, scope }),
      };
    };

    it('those of a former network are still ours, and go', async () => {
      const { kernel, files, move, begin } = moving();
      await oneRound(begin(), [...peer('4.1.7.0/24'), ...peer('4.1.8.0/24')]);
      move(SCOPE.networks);
      const { plan } = await oneRound(begin(), peer('4.0.7.0/24'));
      assert.deepEqual(plan, [
        'create route:4.0.7.0/24: missing',
        'delete route:4.1.7.0/24: not wanted any more',
        'delete route:4.1.8.0/24: not wanted any more',
      ]);
      assert.deepEqual(routes(kernel), ['route 4.0.7.0/24 via 10.8.64.1 dev eth0 proto 77']);
      assert.equal((await files.read(RECORD))?.content, '["4.0.0.0/16"]\n');
    });

    it('they go as well where the network cannot be told, and nothing is kept', async () => {
      const { kernel, files, move, begin } = moving();
      await oneRound(begin(), peer('4.1.7.0/24'));
      move([]);
      kernel.addRoute({ destination: parsePrefix('4.2.7.0/24'), link: 'eth0', via: GATEWAY, protocol: OURS });
      await oneRound(begin(), []);
      // That one is another instance's.
      assert.deepEqual(routes(kernel), ['route 4.2.7.0/24 via 10.8.64.1 dev eth0 proto 77']);
      assert.equal(await files.read(RECORD), undefined);
    });

    it('a disk that takes nothing holds up no route, and is told', async () => {
      const { kernel, files, begin } = moving();
      files.failure = { writes: new Error('no space left on device') };
      assert.deepEqual((await oneRound(begin(), peer('4.1.7.0/24'))).outcomes, ['failed Error']);
      assert.deepEqual(routes(kernel), ['route 4.1.7.0/24 via 10.8.64.1 dev eth0 proto 77']);
      assert.deepEqual(await oneRound(begin(), peer('4.1.7.0/24')), NOTHING_TO_DO);
    });

    it('what is there already costs no write', async () => {
      const { files, begin } = moving();
      await oneRound(begin(), peer('4.1.7.0/24'));
      await oneRound(begin(), [...peer('4.1.7.0/24'), ...peer('4.1.8.0/24')]);
      assert.equal(files.writes, 1);
    });
  });

  it('wakes on routes, and on links that take theirs along without a word', async () => {
    const [kernel, reconciler] = hostWith();
    let wakes = 0;
    reconciler.watch?.(() => wakes++, new AbortController().signal);
    kernel.addRoute({ destination: parsePrefix('4.0.0.0/16'), link: 'flannel0' });
    await settle();
    assert.ok(wakes > 0);
    wakes = 0;
    kernel.foreign({ op: 'set-link', name: 'flannel0', up: false });
    await settle();
    assert.ok(wakes > 0);
  });

  it('tells of a route of somebody else that leads a part of the network elsewhere', async () => {
    const inside = { destination: parsePrefix('4.0.7.0/24'), link: 'eth0', via: GATEWAY, protocol: 4 };
    const [kernel] = hostWith({});
    const scope = { ...SCOPE, subnets: { ipv4: parsePrefix('4.0.100.0/24') } };
    const reconciler = reconcilerOf(kernel.netlink, { scope: () => scope });
    const foreign = async () => (await oneRound(reconciler, wanting())).foreign;
    let woken = 0;
    const stop = new AbortController();
    reconciler.watch?.(() => woken++, stop.signal);
    assert.deepEqual(await foreign(), []);

    kernel.addRoute(inside);
    // Its containers', and what is as wide as the network or outside of it, are nothing to tell of.
    for (const destination of ['4.0.100.7/32', '4.0.100.0/24', '4.0.0.0/15', '5.0.0.0/24'])
      kernel.addRoute({ ...inside, destination: parsePrefix(destination) });
    await settle();
    assert.ok(woken > 0);
    const told = ['route:4.0.7.0/24: not ours, and inside the network: dev eth0 via 10.8.64.1'];
    assert.deepEqual(await foreign(), told);
    // Nothing was changed meanwhile: the whole table is not read again, and it is still told of.
    assert.deepEqual(await foreign(), told);

    kernel.foreign({
      op: 'delete-route',
      route: { ...inside, table: 254, tos: 0, metric: 0, onlink: false, scope: 'global' },
    });
    await settle();
    assert.deepEqual(await foreign(), []);
    stop.abort();
  });
});
