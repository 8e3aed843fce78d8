/** A store of several members that asks for certificates and passwords, and a network without a free subnet. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../lab/eventually.js';
import { inNamespaceOf } from '../../lab/namespace.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { METRICS_URLS, SIDE_SUBNETS, type SideNetwork } from '../side-network.js';
import { ASK_EVERY_MS, HEALED_MS } from '../station.js';
import { leaseAt } from '../store-moves.js';

const STRANGER = { key: `${SIDE_SUBNETS}5.0.200.0-24`, publicIp: '10.8.65.250' };
const MEMBERS = { test: 1, standard: 3, full: 3 } as const;
const REFUSED_MS = { test: 1_000, standard: 20_000, full: 60_000 } as const;
const MOST_LINES = 6;
const EXHAUSTED_MS = { test: 1_500, standard: 20_000, full: 60_000 } as const;

export const SIDE_ROWS: readonly Row[] = [
  {
    id: 'E7',
    stage: 'side',
    fault: 'one of three members of etcd is killed, the leader among them',
    expected:
      'The others are asked. The lease stays what it is. The time is until a change made meanwhile is known.',
    bar: { healedMs: 3_000, lost: 0 },
    counts: { test: 1, standard: 3, full: 10 },
    inject: memberKilled,
  },
  {
    id: 'E9',
    stage: 'side',
    fault: 'the password of etcd is changed, and the host gets the new one later',
    expected:
      'Condition `EtcdAuth`, packets flow on, hardly a line in the log. The time is from the new file to all being well.',
    bar: { healedMs: 5_000, lost: 0 },
    counts: { test: 1, standard: 3, full: 10 },
    inject: passwordChanged,
  },
  {
    id: 'E10',
    stage: 'side',
    fault: 'certificates are exchanged on the disk',
    expected:
      'They are used from then on, without a restart: the time is until no connection with the old ones is left.',
    bar: { healedMs: 5_000, lost: 0 },
    counts: { test: 1, standard: 10, full: 30 },
    remark:
      'one that has expired, is for another name, or of an unknown authority is told with what it says: a test of its own.',
    inject: certificatesExchanged,
  },
  {
    id: 'L9',
    stage: 'side',
    fault: 'a host comes into a network without a free subnet, and then there is one',
    expected:
      'Condition `SubnetUnavailable`; etcd is not asked again and again. The time is from the subnet being free to the host being ready.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 3, full: 10 },
    inject: exhausted,
  },
];

async function memberKilled({ side }: Scene, size: Size) {
  const times: number[] = [];
  const leases = await leaseLines(side);
  for (let index = 0; index < MEMBERS[size]; index++) {
    const start = performance.now();
    await side.killServer(index);
    try {
      await side.ctl(['put', STRANGER.key, leaseAt(STRANGER.publicIp)]);
      times.push(await strangerIs(side, true, start));
      await side.ctl(['del', STRANGER.key]);
      await strangerIs(side, false, start);
    } finally {
      await side.startServer(index);
    }
  }
  assert.deepEqual(await leaseLines(side), leases);
  return { healedMs: Math.max(...times), times: times.length };
}

async function leaseLines(side: SideNetwork): Promise<string> {
  return side.ctl(['get', '--prefix', SIDE_SUBNETS, '--write-out=fields']).then((printed) =>
    printed
      .split('\n')
      .filter((line) => /^"(Key|ModRevision|Lease)"/.test(line))
      .join('\n'),
  );
}

async function strangerIs(side: SideNetwork, isPeer: boolean, sinceMs: number): Promise<number> {
  return until(`the stranger is ${isPeer ? 'a' : 'no'} peer`, sinceMs, async () => {
    const { peers } = await side.first.status();
    assert.equal(
      peers.some(({ publicIp }) => publicIp === STRANGER.publicIp),
      isPeer,
    );
  });
}

let passwords = 0;

async function passwordChanged({ side }: Scene, size: Size) {
  const { first } = side;
  const password = `password${++passwords}`;
  const key = await ownKey(side);
  await side.changePassword(password);
  // A stream that is open stays open: it has to ask for something.
  await side.ctl(['del', key]);
  await until('the trouble is told', 0, async () => {
    const { conditions } = await first.status();
    assert.ok(
      conditions.some(({ type }) => type === 'EtcdAuth'),
      JSON.stringify(conditions),
    );
  });
  const { length: told } = first.daemon.lines;
  await sleep(REFUSED_MS[size]);
  const more = first.daemon.lines.slice(told);
  const start = performance.now();
  await side.writePassword(password);
  const healedMs = await until('all is well', start, async () => {
    const { conditions, ready } = await first.status();
    assert.deepEqual([conditions, ready], [[], true]);
    assert.equal(await ownKey(side), key);
  });
  assert.ok(more.length <= MOST_LINES, more.join('\n'));
  return { healedMs };
}

/** Of the first host's lease. */
async function ownKey(side: SideNetwork): Promise<string> {
  const { network } = await side.first.status();
  const key = `${SIDE_SUBNETS}${network?.subnets[0]?.replace('/', '-')}`;
  assert.match(await side.ctl(['get', key]), /PublicIP/);
  return key;
}

async function certificatesExchanged({ side }: Scene) {
  const connections = async () => {
    const printed = await side.first.member.host.output([
      'ss',
      '-Htn',
      'state',
      'established',
      'dst 10.8.64.10',
    ]);
    // Local and remote address are the last but one and the last.
    return printed.split('\n').flatMap((line) => {
      const [local = '', remote = ''] = line.trim().split(/\s+/).slice(-2);
      return /:2[456]79$/.test(remote) ? [local] : [];
    });
  };
  const before = await connections();
  assert.ok(before.length > 0);
  const start = performance.now();
  await side.renewCertificate(0);
  const healedMs = await until('all connections are new', start, async () => {
    const now = await connections();
    assert.ok(now.length > 0 && now.every((local) => !before.includes(local)), now.join(' '));
  });
  const { conditions, ready, store } = await side.first.status();
  assert.deepEqual([conditions, ready, store.status], [[], true, 'live']);
  return { healedMs };
}

async function exhausted({ side, cluster }: Scene, size: Size) {
  const free = [1, 2, 3].map((third) => `${SIDE_SUBNETS}5.0.${third}.0-24`);
  const taken = await side.ctl(['get', '--prefix', '--keys-only', SIDE_SUBNETS]);
  const last = free.find((key) => !taken.includes(key));
  assert.ok(last, taken);
  await side.ctl(['put', last, leaseAt(STRANGER.publicIp)]);
  const third = await side.join(2, { wait: false });
  try {
    await until('the trouble is told', 0, async () => {
      const { conditions } = await third.status();
      assert.ok(
        conditions.some(({ type }) => type === 'SubnetUnavailable'),
        JSON.stringify(conditions),
      );
    });
    const calls = await callsOf(cluster.etcd.pid);
    await sleep(EXHAUSTED_MS[size]);
    const more = (await callsOf(cluster.etcd.pid)) - calls;
    assert.ok(more <= 1 + EXHAUSTED_MS[size] / 10_000, `${more} calls in ${EXHAUSTED_MS[size]} ms`);
    const start = performance.now();
    await side.ctl(['del', last]);
    const healedMs = await until('it is ready', start, async () =>
      assert.equal((await third.status()).ready, true),
    );
    return { healedMs };
  } finally {
    await side.leaveLast();
  }
}

/** How many calls etcd has answered, at all its members, those between themselves left out. */
async function callsOf(etcdPid: number): Promise<number> {
  const pages = await inNamespaceOf(etcdPid, () =>
    Promise.all(METRICS_URLS.map((url) => fetch(url).then((answer) => answer.text()))),
  );
  const counts = pages.join('\n').matchAll(/^grpc_server_handled_total\{.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function until(what: string, sinceMs: number, probe: () => Promise<void>): Promise<number> {
  await eventually(what, HEALED_MS, probe, ASK_EVERY_MS);
  return performance.now() - sinceMs;
}
