/**
 * The fake kernel against Linux: the same random requests to both must be answered alike and leave the same world.
 *
 *   flannel0 (TUN)    u0 ──veth── u1    lo
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { familyOf, parseAddress, parseInterfaceAddress, parsePrefix } from '../../src/model/address.js';
import type { Netlink, NetlinkRequest, NetlinkRouteSpec } from '../../src/ports.js';
import { describeRequest } from '../../src/sys/netlink/describe-request.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { FakeKernel } from '../fakes/fake-kernel.js';
import { worldLines } from '../fakes/world-lines.js';
import { inFreshNamespace } from '../lab/namespace.js';

// Until a namespace has had its first address, its local table is absent and every onlink gateway invalid: a state
// that no host is in, and that the fake does not know.
const BEGIN: NetlinkRequest = { op: 'set-link', name: 'lo', up: true };
const RUNS = 80;
const REQUESTS = 40;

// Few values, so that requests meet: the same place, the same address, a gateway that is just there.
const link = fc.constantFrom('flannel0', 'flannel0', 'u0', 'u0', 'u1', 'lo', 'none0');
const held = fc
  .constantFrom(
    '10.1.40.0/32',
    '10.1.40.1/16',
    '10.8.64.11/24',
    '10.8.64.12/24',
    '10.1.40.1/32',
    '10.9.0.1/31',
  )
  .map(parseInterfaceAddress);
const destination = fc
  .constantFrom('10.1.0.0/16', '10.1.40.0/24', '10.8.64.0/24', '10.9.0.0/31', '0.0.0.0/0')
  .map(parsePrefix);
const via = fc.constantFrom('10.8.64.1', '10.8.64.255', '10.1.40.7', '192.0.2.1').map(parseAddress);
const route = fc.record<NetlinkRouteSpec>(
  {
    destination,
    table: fc.constantFrom(254, 254, 254, 0, 1000),
    tos: fc.constantFrom(0, 0, 0, 0, 8, 1),
    metric: fc.constantFrom(0, 0, 0, 5, 100),
    protocol: fc.constantFrom(77, 77, 3, 2),
    scope: fc.constantFrom('global', 'global', 'link', 'link', 'site', 'nowhere'),
    onlink: fc.constantFrom(false, false, false, true),
    link,
    via,
  },
  { requiredKeys: ['destination', 'table', 'tos', 'metric', 'protocol', 'scope', 'onlink'] },
);
const request: fc.Arbitrary<NetlinkRequest> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({ op: fc.constant('set-link'), name: link, up: fc.boolean() } as const),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('set-link'),
      name: fc.constantFrom('flannel0', 'u0', 'none0'),
      mtu: fc.constantFrom(67, 68, 1472, 65_535, 65_536),
      alias: fc.constantFrom('', 'flannelette flannel0'),
    } as const),
  },
  {
    weight: 30,
    arbitrary: fc
      .record({ op: fc.constantFrom('add-address', 'add-address', 'delete-address'), link, held } as const)
      .filter((change) => change.link !== 'lo')
      .map(({ op, link: name, held: address }) => ({ op, link: name, ...address })),
  },
  {
    weight: 80,
    arbitrary: fc.record({
      op: fc.constantFrom('add-route', 'add-route', 'replace-route', 'delete-route'),
      route,
    } as const),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('delete-link'), name: link } as const) },
);

const DESTINATIONS = ['10.1.40.9', '10.8.64.11', '10.8.64.200', '198.51.100.1'].map(parseAddress);

interface Step {
  readonly asked: string;
  readonly answer: string;
  readonly world: readonly string[];
  /** Over which link, gateway and source each of DESTINATIONS would be reached. */
  readonly choices: readonly Awaited<ReturnType<Netlink['routeTo']>>[];
}

/** What a kernel answers to each request, and what it then looks like. IPv6 is left out: Linux adds some by itself. */
async function history(netlink: Netlink, requests: readonly NetlinkRequest[]): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const each of [BEGIN, ...requests]) {
    const [error] = await netlink.request([each]);
    const links = await netlink.links();
    const addresses = (await netlink.addresses()).filter(({ address }) => familyOf(address) === 'ipv4');
    const routes = (await netlink.routes()).filter((found) => familyOf(found.destination) === 'ipv4');
    steps.push({
      asked: `${describeRequest(each)} ${JSON.stringify(each)}`,
      answer: error?.code ?? 'done',
      world: worldLines({ links, addresses, routes }),
      choices: await Promise.all(DESTINATIONS.map((each) => netlink.routeTo(each))),
    });
  }
  return steps;
}

/** Throws at the first step in which the two differ, with how they came there. */
function assertAlike(fake: readonly Step[], real: readonly Step[]): void {
  for (const [index, step] of fake.entries()) {
    const before = fake.slice(0, index).map(({ asked, answer }) => `${asked}: ${answer}`);
    assert.deepEqual(
      step,
      real[index],
      `step ${index} differs, after\n${before.join('\n')}\n${diffOf(step, real[index])}`,
    );
  }
}

function diffOf(fake: Step, real: Step | undefined): string {
  const onlyIn = (these: readonly string[] = [], those: readonly string[] = []) =>
    these.filter((line) => !those.includes(line));
  return [
    `asked: ${fake.asked}`,
    `fake: ${fake.answer}, Linux: ${real?.answer}`,
    ...onlyIn(fake.world, real?.world).map((line) => `only in the fake: ${line}`),
    ...onlyIn(real?.world, fake.world).map((line) => `only in Linux: ${line}`),
    `choices of the fake: ${JSON.stringify(fake.choices)}`,
    `choices of Linux: ${JSON.stringify(real?.choices)}`,
  ].join('\n');
}

async function historyInLinux(requests: readonly NetlinkRequest[]): Promise<readonly Step[]> {
  return inFreshNamespace(async () => {
    for (const device of ['all', 'default']) {
      writeFileSync(`/proc/sys/net/ipv4/conf/${device}/promote_secondaries`, '0');
    }
    const netlink = new KernelNetlink();
    try {
      kernelTuns.create('flannel0', { multiQueue: false });
      execFileSync('ip', ['link', 'add', 'u0', 'type', 'veth', 'peer', 'name', 'u1']);
      return await history(netlink, requests);
    } finally {
      netlink.close();
    }
  });
}

async function historyInFake(requests: readonly NetlinkRequest[]): Promise<readonly Step[]> {
  const kernel = new FakeKernel();
  kernel.tuns.create('flannel0', { multiQueue: false });
  kernel.addVeth('u0', 'u1');
  return history(kernel.netlink, requests);
}

describe('FakeKernel', () => {
  it('answers random requests as Linux does, and looks the same after each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: REQUESTS, size: 'max' }), async (requests) => {
        const real = await historyInLinux(requests);
        assertAlike(await historyInFake(requests), real);
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
  });
});
