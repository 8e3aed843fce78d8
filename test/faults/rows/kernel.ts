/** Kernel objects that somebody changes by hand: what the daemon made is made again, what is not ours stays. */
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { inNamespaceOf } from '../../lab/namespace.js';
import type { Counts, Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS, HEALED_MS, type Station } from '../station.js';

/** Long enough for a fight at full speed to show. */
const FIGHT_MS = { test: 1_000, standard: 2_000, full: 2_000 } as const;
const OFTEN: Counts = { test: 1, standard: 30, full: 200 };

/** Changed by a shell command, healed when the kernel shows the same as before. */
function changedByHand(row: Omit<Row, 'inject' | 'counts'>, script: string): Row {
  return {
    ...row,
    counts: OFTEN,
    inject: async ({ first }) => ({ healedMs: await first.healedAfter(script) }),
  };
}

export const KERNEL_ROWS: readonly Row[] = [
  changedByHand(
    {
      id: 'K1',
      fault: 'flannel0 is deleted',
      expected:
        'The packet loop notices by itself; device, address, MTU and routes are made again, all peers are kept.',
      bar: { healedMs: 250, lost: 250 },
    },
    'ip link delete flannel0',
  ),
  changedByHand(
    {
      id: 'K2',
      fault: 'flannel0 is set down',
      expected: 'It is set up again, and the route that went with it comes back.',
      bar: { healedMs: 100, lost: 100 },
    },
    'ip link set flannel0 down',
  ),
  {
    id: 'K3',
    fault: 'our address is removed, and a foreign one added',
    expected: 'Ours comes back; the foreign one stays.',
    bar: { healedMs: 100 },
    counts: OFTEN,
    inject: addressExchanged,
  },
  changedByHand(
    {
      id: 'K4',
      fault: 'the route of the network is deleted',
      expected: 'It is made again.',
      bar: { healedMs: 100, lost: 100 },
    },
    'ip route delete 4.0.0.0/16',
  ),
  {
    id: 'K5',
    fault: "somebody else's route takes the place of ours",
    expected: 'It is never touched; `status` and `diff` call it a conflict. When it goes, ours comes back.',
    bar: { healedMs: 100 },
    counts: OFTEN,
    inject: foreignRoute,
  },
  {
    id: 'K6',
    fault: 'somebody else leads a part of the network elsewhere, by a more specific route',
    expected:
      'It is told in `status`, with where it leads, and never touched. The time is until it is told, and until it is not any more.',
    bar: { healedMs: 1_000 },
    counts: OFTEN,
    inject: ({ first }) => intruder(first),
  },
  changedByHand(
    {
      id: 'K7',
      fault: 'the MTU is changed',
      expected: 'It is set back.',
      bar: { healedMs: 100, lost: 0 },
    },
    'ip link set flannel0 mtu 1400',
  ),
  {
    id: 'K9',
    fault: 'all firewall rules are flushed, and Docker brings its own back',
    expected: 'Our table and our chain are made again, each at once as a whole.',
    bar: { healedMs: 250, lost: 250 },
    counts: { test: 1, standard: 30, full: 100 },
    inject: rulesFlushed,
  },
  {
    id: 'K11',
    fault: 'forwarding is turned off',
    expected: 'It is turned on again.',
    bar: { healedMs: 1_000, lost: 1_000 },
    counts: OFTEN,
    inject: forwardingOff,
  },
  {
    id: 'K12',
    fault: 'flannel0 is renamed, or moved to another network namespace',
    expected:
      'A new one is made; the packet loop moves over to it; the renamed one, which bears our mark, goes.',
    bar: { healedMs: 250, lost: 250 },
    counts: { test: 1, standard: 30, full: 100 },
    inject: deviceGone,
  },
  {
    id: 'K13',
    fault: 'another program deletes the route whenever it appears',
    expected:
      'Five repairs, then one now and then; `status` calls the route contested and says who may do that; `apply` repairs at once.',
    bar: { cpuPercent: 20 },
    counts: { test: 1, standard: 1, full: 3 },
    inject: fight,
  },
];

async function addressExchanged({ first }: Scene) {
  const foreign = '192.0.2.77/24';
  const before = await first.picture();
  await first.shell.run(`ip address add ${foreign} dev flannel0`);
  const healedMs = await first.healedAfter(
    'ip address delete $(ip -4 -o address show dev flannel0 | grep -o "4[.0-9]*/32") dev flannel0',
  );
  assert.match(await first.picture(), /192\.0\.2\.77/);
  await first.shell.run(`ip address delete ${foreign} dev flannel0`);
  assert.equal(await first.picture(), before);
  return { healedMs };
}

async function foreignRoute({ first }: Scene) {
  const before = await first.picture();
  const start = performance.now();
  await first.shell.run('ip route replace 4.0.0.0/16 dev eth0 proto static');
  const reportedMs = await first.until(
    'the conflict is told',
    start,
    async () => {
      const { objects, ready } = await first.status();
      assert.equal(objects.find(({ key }) => key.startsWith('route:'))?.state, 'conflict');
      assert.equal(ready, false);
    },
    ASK_EVERY_MS,
  );
  assert.match(await first.shell.run('ip route show 4.0.0.0/16'), /^4\.0\.0\.0\/16 dev eth0 proto static/);
  const healedMs = await first.until(
    'our route is back',
    await gone(first.shell.run('ip route delete 4.0.0.0/16 proto static')),
    async () => assert.equal(await first.picture(), before),
  );
  return { healedMs: Math.max(reportedMs, healedMs) };
}

/** In a part of the network where nobody is. */
export async function intruder(first: Station) {
  const before = await first.picture();
  const [key, route] = ['route:4.0.253.0/24', '4.0.253.0/24 via 10.8.0.1 dev eth0 proto static'];
  const isTold = async (told: boolean) => {
    const { objects, conditions, ready } = await first.status();
    const reason = objects.find((object) => object.key === key)?.reason;
    const isCondition = conditions.some(({ type }) => type === 'ForeignRoute');
    const why = told ? 'not ours, and inside the network: dev eth0 via 10.8.0.1' : undefined;
    assert.deepEqual([ready, reason, isCondition], [true, why, told]);
  };
  const start = performance.now();
  await first.shell.run(`ip route add ${route}`);
  const toldMs = await first.until('it is told', start, () => isTold(true), ASK_EVERY_MS);
  assert.match(await first.shell.run('ip route show 4.0.253.0/24'), /via 10\.8\.0\.1 dev eth0 proto static/);
  const removed = performance.now();
  await first.shell.run(`ip route delete ${route}`);
  const clearMs = await first.until('it is not told any more', removed, () => isTold(false), ASK_EVERY_MS);
  assert.equal(await first.picture(), before);
  return { healedMs: Math.max(toldMs, clearMs) };
}

async function gone(done: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await done;
  return start;
}

/** What Docker has made, without what is ours. */
async function rulesFlushed({ first }: Scene) {
  const { shell } = first;
  await shell.run("iptables-save | grep -Ev 'FLANNEL|^:(INPUT|OUTPUT)' >/run/docker-rules");
  const rules = async () =>
    (await shell.run('nft --stateless list ruleset ip 2>/dev/null')).split('\n').sort();
  const wanted = await rules();
  const start = performance.now();
  await shell.run('nft flush ruleset; iptables-restore </run/docker-rules');
  const healedMs = await first.until(
    'all rules are there',
    start,
    async () => assert.deepEqual(await rules(), wanted),
    ASK_EVERY_MS,
  );
  await shell.run('rm /run/docker-rules');
  return { healedMs };
}

async function forwardingOff({ first }: Scene) {
  const path = '/proc/sys/net/ipv4/ip_forward';
  const start = performance.now();
  await first.shell.run(`echo 0 >${path}`);
  const healedMs = await first.until('forwarding is on', start, async () =>
    assert.equal(await first.shell.run(`cat ${path}`), '1\n'),
  );
  return { healedMs };
}

async function deviceGone({ first, probe }: Scene) {
  const { shell } = first;
  const renamedMs = await first.healedAfter(
    'ip link set flannel0 down; ip link set flannel0 name flannel0old',
  );
  await probe.since(probe.mark(), HEALED_MS);
  await first.settle();
  await shell.run('ip netns add away');
  const movedMs = await first.healedAfter('ip link set flannel0 netns away');
  await probe.since(probe.mark(), HEALED_MS);
  await shell.run('ip netns delete away; umount /run/netns; rmdir /run/netns');
  return { healedMs: Math.max(renamedMs, movedMs), times: 2 };
}

async function fight({ first }: Scene, size: Size) {
  const { netlink, host } = first;
  const before = await first.picture();
  const ours = (await netlink.routes({ protocol: 77 })).find(
    ({ destination }) => destination === '4.0.0.0/16',
  );
  assert.ok(ours);
  const { type: _, multipath: __, preferredSource: ___, ...route } = ours;
  const remove = () => void netlink.request([{ op: 'delete-route', route }]);
  const end = new AbortController();
  const start = performance.now();
  await inNamespaceOf(host.pid, async () => netlink.watch(['ipv4-route'], remove, end.signal));
  remove();
  try {
    const isTold = async () => {
      const told = (await first.status()).objects.find(({ key }) => key.startsWith('route:'));
      assert.equal(told?.state, 'contested');
      assert.match(told?.reason ?? '', /systemd-networkd/);
    };
    const toldMs = await first.until('the fight is told', start, isTold, ASK_EVERY_MS);
    await setTimeout(FIGHT_MS[size]);
    await isTold();
    return { faultMs: performance.now() - start, healedMs: toldMs };
  } finally {
    end.abort();
    await first.apply();
    assert.equal(await first.picture(), before);
  }
}
