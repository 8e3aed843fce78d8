/** What a long-lived daemon meets on netlink: oddities of others, floods of events, missing privileges, namespaces. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { addressFromBits, parseAddress, prefixOf } from '../../src/model/address.js';
import type { NetlinkRequest } from '../../src/ports.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { worldLines } from '../fakes/world-lines.js';
import { eventually } from '../lab/eventually.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf, runProcess } from '../lab/process.js';

const MODULE = JSON.stringify(new URL('../../src/sys/netlink/netlink.js', import.meta.url).href);
const WAKE_MS = 5000;
const MANY_ROUTES = 10_000;
const MANY_EVENTS = 10_000;

async function withNetlink(body: (netlink: KernelNetlink) => Promise<void>): Promise<void> {
  await inFreshNamespace(async () => {
    const netlink = new KernelNetlink();
    try {
      await body(netlink);
    } finally {
      netlink.close();
    }
  });
}

async function script(text: string): Promise<string> {
  return outputOf(['sh', '-euc', text]);
}

function routeRequests(op: 'add-route' | 'delete-route', count: number): readonly NetlinkRequest[] {
  return Array.from({ length: count }, (_, index) => ({
    op,
    route: {
      destination: prefixOf(addressFromBits('ipv4', 0x0a00_0000n + (BigInt(index) << 8n)), 24),
      table: 254,
      tos: 0,
      metric: 0,
      protocol: 77,
      scope: 'link',
      link: 'flannel0',
      onlink: false,
    },
  }));
}

async function givenTun(netlink: KernelNetlink): Promise<void> {
  kernelTuns.create('flannel0', { multiQueue: false });
  const [error] = await netlink.request([{ op: 'set-link', name: 'flannel0', up: true }]);
  assert.ifError(error);
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Datagrams that did not fit into the receive buffers of this process's netlink sockets. */
function lostDatagrams(): number {
  const [, ...lines] = readFileSync('/proc/thread-self/net/netlink', 'utf8').trim().split('\n');
  const ours = lines.map((line) => line.trim().split(/\s+/)).filter(([, protocol]) => protocol === '0');
  return ours.reduce((sum, fields) => sum + Number(fields[8]), 0);
}

describe('KernelNetlink', () => {
  it('writes an address as ip(8) shows flannel’s', () =>
    withNetlink(async (netlink) => {
      await givenTun(netlink);
      const address = parseAddress('10.1.40.0');
      await netlink.request([{ op: 'add-address', link: 'flannel0', address, length: 32 }]);
      const shown = await script('ip -o -4 addr show dev flannel0');
      assert.match(shown, /inet 10\.1\.40\.0\/32 scope global flannel0\\ +valid_lft forever/);
    }));

  it('writes a route as ip(8) shows it', () =>
    withNetlink(async (netlink) => {
      await givenTun(netlink);
      await netlink.request(routeRequests('add-route', 1));
      assert.equal(
        (await script('ip route show')).trim(),
        '10.0.0.0/24 dev flannel0 proto 77 scope link linkdown',
      );
    }));

  it('writes and deletes an IPv4 route over an IPv6 gateway', () =>
    withNetlink(async (netlink) => {
      await givenTun(netlink);
      const [add] = routeRequests('add-route', 1) as readonly Extract<NetlinkRequest, { route: unknown }>[];
      const route = { ...add!.route, scope: 'global', via: parseAddress('fe80::1') } as const;
      assert.ifError((await netlink.request([{ op: 'add-route', route }]))[0]);
      const shown = (await script('ip route show')).trim();
      assert.equal(shown, '10.0.0.0/24 via inet6 fe80::1 dev flannel0 proto 77');
      const other = { ...route, via: parseAddress('fe80::2') };
      assert.equal((await netlink.request([{ op: 'delete-route', route: other }]))[0]?.code, 'ESRCH');
      assert.ifError((await netlink.request([{ op: 'delete-route', route }]))[0]);
    }));

  it('sees the odd routes and addresses of others for what they are', () =>
    withNetlink(async (netlink) => {
      await script(`
        ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up
        ip addr add 192.0.2.1 peer 192.0.2.2/32 dev v0
        ip addr add 198.51.100.1/24 brd + dev v0
        ip route add 10.1.0.0/16 via inet6 fe80::1 dev v0
        ip route add 10.2.0.0/16 nexthop via 198.51.100.7 nexthop via 198.51.100.8
        ip route add 10.3.0.0/16 via 198.51.100.7 mtu 1400 rto_min 10ms table 100000 src 198.51.100.1 proto bgp
        for type in blackhole unreachable prohibit throw; do ip route add $type 10.4.0.0/16 metric $((i=i+1)); done`);
      const routes = (await netlink.routes()).filter(
        ({ table, protocol }) => table !== 255 && protocol !== 2,
      );
      assert.deepEqual(worldLines({ links: [], addresses: [], routes }), [
        'route 10.1.0.0/16 via fe80::1 dev v0 proto boot',
        'route 10.2.0.0/16 proto boot multipath',
        'route 10.3.0.0/16 via 198.51.100.7 dev v0 table 100000 proto 186 src 198.51.100.1',
        'route blackhole 10.4.0.0/16 metric 1 proto boot',
        'route other 10.4.0.0/16 metric 4 proto boot',
        'route prohibit 10.4.0.0/16 metric 3 proto boot',
        'route unreachable 10.4.0.0/16 metric 2 proto boot',
      ]);
      const held = (await netlink.addresses()).filter(({ address }) => !address.includes(':'));
      assert.deepEqual(
        held.map(({ address, length }) => `${address}/${length}`),
        ['192.0.2.1/32', '198.51.100.1/24'],
      );
    }));

  for (const type of ['blackhole', 'unreachable', 'prohibit', 'throw']) {
    it(`knows that a route of type ${type} leads nowhere`, () =>
      withNetlink(async (netlink) => {
        await script(`ip link set lo up; ip route add ${type} 10.4.0.0/16`);
        assert.equal(await netlink.routeTo(parseAddress('10.4.0.1')), undefined);
        await script(`ip -6 route add ${type} fd00:4::/48`);
        assert.equal(await netlink.routeTo(parseAddress('fd00:4::1')), undefined);
      }));
  }

  it(`writes, lists and deletes ${MANY_ROUTES} routes`, () =>
    withNetlink(async (netlink) => {
      await givenTun(netlink);
      const adds = routeRequests('add-route', MANY_ROUTES);
      assert.ok((await netlink.request(adds)).every((error) => error === undefined));
      const found = (await netlink.routes({ protocol: 77 })).map(({ destination }) => destination);
      const wanted = adds.map(
        (add) => (add as Extract<NetlinkRequest, { route: unknown }>).route.destination,
      );
      assert.deepEqual(new Set(found), new Set(wanted));
      assert.equal(found.length, MANY_ROUTES);
      const again = await netlink.request(adds);
      assert.deepEqual(new Set(again.map((error) => error?.code)), new Set(['EEXIST']));
      await netlink.request(routeRequests('delete-route', MANY_ROUTES));
      assert.deepEqual(await netlink.routes({ protocol: 77 }), []);
    }));

  it('wakes after a flood that overran its socket, and goes on waking', () =>
    withNetlink(async (netlink) => {
      await givenTun(netlink);
      const end = new AbortController();
      try {
        let wakes = 0;
        netlink.watch(['ipv4-route'], () => wakes++, end.signal);
        // Nothing reads the events meanwhile: each call is done before it returns.
        for (let rounds = 0; lostDatagrams() === 0; rounds++) {
          assert.ok(rounds < 10, 'no event was lost in ten rounds');
          await netlink.request(routeRequests('add-route', MANY_ROUTES));
          await netlink.request(routeRequests('delete-route', MANY_ROUTES));
        }
        await eventually('a wake after the flood', WAKE_MS, () => assert.ok(wakes > 0));
        const before = wakes;
        await netlink.request(routeRequests('add-route', 1));
        await eventually('a wake by the next event', WAKE_MS, () => assert.ok(wakes > before));
      } finally {
        end.abort();
      }
    }));

  it('wakes at once for one event, and a hundred times a second at most for many', () =>
    withNetlink(async (netlink) => {
      await givenTun(netlink);
      const end = new AbortController();
      try {
        let wakes = 0;
        netlink.watch(['ipv4-route'], () => wakes++, end.signal);
        const start = performance.now();
        await script(`
          for i in $(seq ${MANY_EVENTS / 2}); do
            echo route add 10.1.0.0/24 dev flannel0
            echo route delete 10.1.0.0/24 dev flannel0
          done | ip -batch -`);
        await eventually('a wake', WAKE_MS, () => assert.ok(wakes > 0));
        // The first two events each, then those of 10 ms together.
        const most = 2 + (performance.now() - start) / 10;
        assert.ok(wakes <= most, `${wakes} wakes, must be at most ${most}`);
      } finally {
        end.abort();
      }
    }));

  it('leaves no descriptor behind', () =>
    withNetlink(async () => {
      const cycle = async (): Promise<void> => {
        const [netlink, end] = [new KernelNetlink(), new AbortController()];
        netlink.watch(['link'], () => {}, end.signal);
        await netlink.links();
        end.abort();
        netlink.close();
      };
      await cycle();
      const before = openDescriptors();
      for (let count = 0; count < 50; count++) await cycle();
      assert.equal(openDescriptors(), before);
    }));

  it('stays in the namespace that it was made in', () =>
    withNetlink(async (outer) => {
      await givenTun(outer);
      await withNetlink(async (inner) => {
        assert.deepEqual(
          (await inner.links()).map(({ name }) => name),
          ['lo'],
        );
        assert.deepEqual(
          (await outer.links()).map(({ name }) => name),
          ['lo', 'flannel0'],
        );
        const [error] = await outer.request([{ op: 'set-link', name: 'flannel0', mtu: 1400 }]);
        assert.ifError(error);
      });
    }));

  it('keeps no process alive once its watch is aborted', async () => {
    const program = `
      import { KernelNetlink } from ${MODULE};
      const end = new AbortController();
      new KernelNetlink().watch(['link', 'ipv4-route'], () => {}, end.signal);
      end.abort();`;
    const { code } = await runProcess([process.execPath, '--input-type=module', '--eval', program]);
    assert.equal(code, 0);
  });

  it('brings an error in a woken function to the process, where it is seen', async () => {
    const program = `
      import { KernelNetlink } from ${MODULE};
      const netlink = new KernelNetlink();
      netlink.watch(['link'], () => { throw new Error('woken in vain'); }, new AbortController().signal);
      await netlink.request([{ op: 'set-link', name: 'lo', up: true }]);`;
    await inFreshNamespace(async () => {
      const { code, stderr } = await runProcess([process.execPath, '--input-type=module', '--eval', program]);
      assert.equal(code, 1);
      assert.match(stderr, /woken in vain/);
    });
  });

  it('reads without a privilege, and names the one it lacks when it writes', async () => {
    const program = `
      import { KernelNetlink } from ${MODULE};
      const netlink = new KernelNetlink();
      const [error] = await netlink.request([{ op: 'set-link', name: 'lo', mtu: 1500 }]);
      const links = (await netlink.links()).map(({ name }) => name);
      console.log(JSON.stringify({ links, code: error.code, message: error.message }));`;
    await inFreshNamespace(async () => {
      const asNobody = ['setpriv', '--reuid=65534', '--clear-groups', '--inh-caps=-all'];
      const argv = [...asNobody, process.execPath, '--input-type=module', '--eval', program];
      assert.deepEqual(JSON.parse(await outputOf(argv)), {
        links: ['lo'],
        code: 'EPERM',
        message: 'Cannot set link lo mtu 1500: Operation not permitted (EPERM)',
      });
    });
  });
});
