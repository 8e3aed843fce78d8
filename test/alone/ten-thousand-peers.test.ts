/** A VXLAN network of ten thousand hosts, held against what ip(8) and bridge(8) take for the same in the same run. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { addressFromBits, bitsOf, parseAddress, parsePrefix } from '../../src/model/address.js';
import type { BackendObjects } from '../../src/model/backends/backend.js';
import { backendPlan } from '../../src/model/backends/table.js';
import type { Desired } from '../../src/model/diff.js';
import type { Lease } from '../../src/model/lease.js';
import { linkAlias } from '../../src/model/mark.js';
import { fdbReconciler } from '../../src/reconcilers/fdb.js';
import { linkReconciler } from '../../src/reconcilers/link.js';
import { neighbourReconciler } from '../../src/reconcilers/neighbour.js';
import { NetworkRecord } from '../../src/reconcilers/network-record.js';
import type { Reconciler } from '../../src/reconcilers/reconciler.js';
import { routeReconciler } from '../../src/reconcilers/route.js';
import { runRound } from '../../src/runtime/rounds/round.js';
import { systemClock } from '../../src/sys/clock.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { kernelSysctls } from '../../src/sys/sysctls.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { FakeFiles } from '../fakes/fake-files.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';

const PEERS = 10_000;
const FOREIGN = 100_000;
const MOST_RATIO = 2;
/** Twice what is promised, for a busy machine. */
const LOOK_MS = 600;
const NEVER = new AbortController().signal;
const US = parseAddress('10.8.65.66');

test('ten thousand peers are programmed as fast as by ip and bridge, and a look at them is cheap', {
  timeout: 120_000,
}, async (t) => {
  await inFreshNamespace(async () => {
    await outputOf(['ip', '-batch', '-'], { input: UPLINK });
    const netlink = new KernelNetlink();
    try {
      const { objects } = backendPlan(INPUT);
      const scope = () => ({ devices: ['flannel.1'], networks: [INPUT.network.ipv4.cidr] });
      const alias = linkAlias('flannel0');
      const link = linkReconciler(netlink, kernelTuns, kernelSysctls, alias, scope);
      await round(link, objects.link);
      const fdb = fdbReconciler(netlink, alias, scope);
      const neighbour = neighbourReconciler(netlink, alias, scope);
      const route = routeReconciler(
        netlink,
        77,
        scope,
        new NetworkRecord(new FakeFiles(), '/networks.json'),
        systemClock,
      );
      const all = async () => {
        await round(fdb, objects.fdb);
        await round(neighbour, objects.neighbour);
        await round(route, objects.route);
      };

      const batchMs = await milliseconds(() => asByHand(objects));
      await outputOf(['ip', 'link', 'delete', 'flannel.1']);
      await round(link, objects.link);
      const oursMs = await milliseconds(all);
      const lookMs = Math.min(await milliseconds(all), await milliseconds(all), await milliseconds(all));

      const count = async (command: string) => Number(await outputOf(['sh', '-c', `${command} | wc -l`]));
      assert.equal(await count('ip route show proto 77'), PEERS);
      assert.equal(await count('ip neigh show dev flannel.1 nud permanent'), PEERS);
      assert.equal(await count('bridge fdb show dev flannel.1'), PEERS);
      t.diagnostic(
        `${PEERS} peers: ${Math.round(oursMs)} ms, ip and bridge -batch ${Math.round(batchMs)} ms; nothing to do: ${Math.round(lookMs)} ms`,
      );
      assert.ok(oursMs <= MOST_RATIO * batchMs, `${oursMs} ms, by hand ${batchMs} ms`);
      assert.ok(lookMs <= LOOK_MS, `a look takes ${lookMs} ms`);

      // A routing daemon with the routes of the Internet beside ours.
      const lookAtRoutes = async () => {
        const times: number[] = [];
        for (let look = 0; look < 3; look++)
          times.push(await milliseconds(() => round(route, objects.route)));
        return Math.min(...times);
      };
      const aloneMs = await lookAtRoutes();
      await outputOf(['ip', '-batch', '-'], { input: foreignRoutes() });
      const besideMs = await lookAtRoutes();
      t.diagnostic(
        `a look at the routes: ${Math.round(aloneMs)} ms, beside ${FOREIGN} of others ${Math.round(besideMs)} ms`,
      );
      assert.ok(besideMs <= MOST_RATIO * aloneMs, `${besideMs} ms, without them ${aloneMs} ms`);
    } finally {
      netlink.close();
    }
  });
});

const UPLINK = `link add eth0 type veth peer name eth1
link set eth0 up
link set eth1 up
address add ${US}/8 dev eth0
`;

function foreignRoutes(): string {
  const base = bitsOf(parseAddress('20.0.0.0'));
  const prefixOf = (index: number) => `${addressFromBits('ipv4', base + BigInt(index * 256))}/24`;
  const lines = Array.from(
    { length: FOREIGN },
    (_, index) => `route add ${prefixOf(index)} dev eth0 proto bird`,
  );
  return `${lines.join('\n')}\n`;
}

const INPUT = {
  isDeclared: true,
  network: {
    ipv4: {
      cidr: parsePrefix('11.0.0.0/8'),
      subnetLength: 24,
      subnetMin: parseAddress('11.0.1.0'),
      subnetMax: parseAddress('11.255.255.0'),
    },
    backend: {
      type: 'vxlan',
      vni: 1,
      port: 8472,
      gbp: false,
      learning: false,
      directRouting: false,
      txChecksumOffload: 'auto',
    },
  },
  subnets: { ipv4: parsePrefix('11.0.1.0/24') },
  leases: Array.from({ length: PEERS }, (_, index) => leaseOf(index + 2)),
  host: {
    external: { name: 'eth0', mtu: 1500, ipv4: US, chosenBy: 'test' },
    publicIps: { ipv4: US },
    reach: [],
  },
  mtu: 'auto',
  dataplane: { workers: 1, sourceCheck: 'strict', offload: true, fastPath: false },
  instance: 'flannel0',
  requires: [],
} as const satisfies Parameters<typeof backendPlan>[0];

function leaseOf(number: number): Lease {
  const base = addressFromBits('ipv4', bitsOf(parseAddress('11.0.0.0')) + BigInt(number * 256));
  const publicIp = addressFromBits('ipv4', bitsOf(parseAddress('10.128.0.0')) + BigInt(number));
  const mac = `6e:00:00:${[number >> 16, number >> 8, number].map((byte) => (byte & 255).toString(16).padStart(2, '0')).join(':')}`;
  return {
    subnets: { ipv4: parsePrefix(`${base}/24`) },
    attributes: {
      publicIps: { ipv4: publicIp },
      backendType: 'vxlan',
      backendData: { VNI: 1, VtepMAC: mac },
    },
    createRevision: 1n,
    modRevision: 1n,
    etcdLease: '1',
  };
}

async function round<State>(
  reconciler: Reconciler<State>,
  desired: readonly Desired<State>[] = [],
): Promise<void> {
  const { remaining } = await runRound(reconciler, desired, { isPresent: () => true }, NEVER);
  assert.deepEqual(remaining, { actions: [], foreign: [] });
}

/** What an operator's script would do, and have the list of afterwards. */
async function asByHand({ fdb = [], neighbour = [], route = [] }: BackendObjects): Promise<void> {
  const neighbours = neighbour.map(
    ({ state }) => `neigh replace ${state.address} lladdr ${state.mac} dev flannel.1 nud permanent`,
  );
  const routes = route.map(
    ({ state }) => `route add ${state.destination} via ${state.via} dev flannel.1 onlink proto 77`,
  );
  const entries = fdb.map(({ state }) => `fdb replace ${state.mac} dev flannel.1 dst ${state.destination}`);
  await outputOf(['bridge', '-batch', '-'], { input: `${entries.join('\n')}\n` });
  await outputOf(['ip', '-batch', '-'], {
    input: `${[...neighbours, ...routes].join('\n')}\n`,
    timeoutMs: 60_000,
  });
}

async function milliseconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
