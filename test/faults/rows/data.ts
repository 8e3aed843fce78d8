/** Leases that other hosts, or people, have written into etcd: what is bad affects itself alone. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ETCD_URL } from '../../lab/cluster.js';
import { leasesOf } from '../../lab/store-content.js';
import type { Row, Size } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS, type Station } from '../station.js';

interface BadEntry {
  /** Below `/coreos.com/network/subnets/`. */
  readonly key: string;
  readonly value: string;
}

const lease = (publicIp: string) => JSON.stringify({ PublicIP: publicIp });
const STRANGER = lease('10.8.65.200');

/** Told within so long; nobody loses a packet; the peers are the same. */
const BAR = { healedMs: 1_000, lost: 0 };
const COUNTS = { test: 1, standard: 3, full: 20 };

function setAside(row: Pick<Row, 'id' | 'fault' | 'expected'>, entries: readonly BadEntry[]): Row {
  return { ...row, bar: BAR, counts: COUNTS, inject: (scene) => isSetAside(scene, entries) };
}

export const DATA_ROWS: readonly Row[] = [
  setAside(
    {
      id: 'D1',
      fault: 'a lease is no JSON, empty, a megabyte, of wrong types, or nested a thousand deep',
      expected: 'That lease is set aside with its reason; all others hold.',
    },
    [
      '',
      '{',
      'null',
      '[]',
      '{"PublicIP":7}',
      '{"PublicIP":"NaN"}',
      `${'['.repeat(1000)}${']'.repeat(1000)}`,
      `"${'x'.repeat(1_000_000)}"`,
    ].map((value, index) => ({ key: `4.0.${200 + index}.0-24`, value })),
  ),
  setAside(
    {
      id: 'D2',
      fault: 'a key is no subnet, has host bits set, is /0 or /33, or mixes the families',
      expected: 'It is set aside with its reason.',
    },
    ['none', '4.0.200.7-24', '4.0.0.0-0', '4.0.200.0-33', '4.0.200.0-24&4.0.201.0-24', 'fd00::-64'].map(
      (key) => ({ key, value: STRANGER }),
    ),
  ),
  {
    id: 'D3',
    fault: 'leases overlap each other, our own subnet or none of the network, or share an address',
    expected: 'The older one counts, on every host; the other one is set aside with its reason.',
    bar: BAR,
    counts: COUNTS,
    inject: overlapping,
  },
  setAside(
    {
      id: 'D4',
      fault: "a lease's public address is loopback, multicast, broadcast, 0.0.0.0, or inside the overlay",
      expected: 'No packet is sent to it.',
    },
    ['127.0.0.1', '224.0.0.1', '255.255.255.255', '0.0.0.0', '4.0.3.3'].map((publicIp, index) => ({
      key: `4.0.${200 + index}.0-24`,
      value: lease(publicIp),
    })),
  ),
  {
    id: 'D5',
    fault: 'a lease is of another backend, and our own has fields that a newer program wrote',
    expected:
      'That one is no peer, with its reason; the unknown fields are kept when our lease is rewritten.',
    bar: { healedMs: 1_000, lost: 0 },
    counts: { test: 1, standard: 5, full: 20 },
    inject: fromTheFuture,
  },
  {
    id: 'D6',
    fault: 'a lease changes its owner ten times a second',
    expected:
      'The row of that peer follows, twice a second and in the end; all others are as they were, and the log is bounded.',
    bar: { lost: 0, cpuPercent: 20, logLinesPerMinute: 60 },
    counts: { test: 1, standard: 1, full: 3 },
    inject: flipFlop,
  },
  setAside(
    {
      id: 'D7',
      fault: 'a lease has `__proto__`, huge numbers, a lone surrogate or NUL for a value',
      expected: 'It is set aside with its reason.',
    },
    [
      '{"__proto__":{"PublicIP":"10.8.65.201"}}',
      '{"PublicIP":1e999}',
      '{"PublicIP":"\\ud800"}',
      '{"PublicIP":"10.8.65.201\\u0000"}',
    ].map((value, index) => ({ key: `4.0.${200 + index}.0-24`, value })),
  ),
];

async function isSetAside({ first, cluster }: Scene, entries: readonly BadEntry[]) {
  const peers = async () =>
    (await first.status()).peers.map(({ subnet, publicIp }) => `${subnet} ${publicIp}`).sort();
  const before = { peers: await peers(), notes: (await first.status()).notes.length };
  let healedMs: number;
  try {
    for (const entry of entries) await put(cluster, entry);
    healedMs = await first.until(
      'each is told',
      performance.now(),
      async () => {
        const { notes } = await first.status();
        assert.equal(notes.length, before.notes + entries.length, notes.join('\n'));
      },
      ASK_EVERY_MS,
    );
    assert.deepEqual(await peers(), before.peers);
  } finally {
    for (const { key } of entries) await cluster.etcdctl('del', PREFIX + key);
  }
  await first.until(
    'none is told any more',
    0,
    async () => assert.equal((await first.status()).notes.length, before.notes),
    ASK_EVERY_MS,
  );
  assert.deepEqual(await peers(), before.peers);
  return { healedMs, times: entries.length };
}

const PREFIX = '/coreos.com/network/subnets/';

/** Longer than an argument may be: by standard input, which must not be empty. */
async function put({ etcd, etcdctl }: Scene['cluster'], { key, value }: BadEntry): Promise<void> {
  if (value.length < MOST_ARGUMENT_BYTES) await etcdctl('put', PREFIX + key, value);
  else await etcd.output(['etcdctl', '--endpoints', ETCD_URL, 'put', PREFIX + key], { input: value });
}

const MOST_ARGUMENT_BYTES = 100_000;
const FLIPS = { test: 20, standard: 600, full: 600 } as const;

async function flipFlop({ first, cluster }: Scene, size: Size) {
  const key = '4.0.200.0-24';
  const start = performance.now();
  for (let flip = 0; flip < FLIPS[size]; flip++) {
    const publicIp = `10.8.65.${200 + (flip % 2)}`;
    await put(cluster, { key, value: lease(publicIp) });
    const flipped = start + flip * 100;
    await first.until('the row follows', flipped, async () => assert.ok(performance.now() > flipped));
  }
  await first.until('the last owner has the row', start, async () =>
    assert.ok(
      (await first.status()).peers.some(
        ({ publicIp }) => publicIp === `10.8.65.${200 + ((FLIPS[size] - 1) % 2)}`,
      ),
    ),
  );
  const faultMs = performance.now() - start;
  await cluster.etcdctl('del', PREFIX + key);
  await first.until('the row is gone', start, async () =>
    assert.ok(!(await first.status()).peers.some(({ subnet }) => subnet === '4.0.200.0/24')),
  );
  return { faultMs };
}

/** In the order in which they are written. */
function overlaps(ownSubnet: string): readonly (BadEntry & { readonly isPeer: boolean })[] {
  const half = ownSubnet.replace('-24', '-25');
  return [
    { key: '4.0.200.0-24', value: lease('10.8.65.201'), isPeer: true },
    { key: '4.0.200.0-23', value: lease('10.8.65.202'), isPeer: false },
    { key: '4.0.200.128-25', value: lease('10.8.65.203'), isPeer: false },
    { key: half, value: lease('10.8.65.204'), isPeer: false },
    { key: '9.9.9.0-24', value: lease('10.8.65.205'), isPeer: false },
    { key: '4.0.210.0-24', value: lease('10.8.65.206'), isPeer: true },
    { key: '4.0.211.0-24', value: lease('10.8.65.206'), isPeer: true },
  ];
}

async function overlapping({ first, second, third, cluster }: Scene) {
  const [own = ''] = (await first.status()).network?.subnets ?? [];
  const entries = overlaps(own.replace('/', '-'));
  const peersOf = async (station: Station) =>
    (await station.status()).peers.map(({ subnet, publicIp }) => `${subnet} ${publicIp}`).sort();
  const stations = [first, second, third];
  const before = await Promise.all(stations.map(peersOf));
  const start = performance.now();
  try {
    for (const entry of entries) await put(cluster, entry);
    const more = entries
      .filter(({ isPeer }) => isPeer)
      .map(
        ({ key, value }) =>
          `${key.replace('-', '/')} ${(JSON.parse(value) as { PublicIP: string }).PublicIP}`,
      );
    const healedMs = await first.until(
      'all hosts see the same winners',
      start,
      async () => {
        const now = await Promise.all(stations.map(peersOf));
        assert.deepEqual(
          now,
          before.map((peers) => [...peers, ...more].sort()),
        );
      },
      ASK_EVERY_MS,
    );
    return { healedMs, times: entries.length };
  } finally {
    // Not most of all at once, nor together with what the next row takes away: those would be held for ten seconds.
    for (const [index, { key }] of entries.entries()) {
      await cluster.etcdctl('del', PREFIX + key);
      if (PAUSES.includes(index)) await sleep(1_050);
    }
    await first.until('all is as before', 0, async () =>
      assert.deepEqual(await Promise.all(stations.map(peersOf)), before),
    );
  }
}

/** After which of them. */
const PAUSES: readonly number[] = [3, 5, 6];
const OTHER_ADDRESS = '10.8.77.78';

/** On the third host: its containers have no part in the probe. */
async function fromTheFuture({ first, third, cluster }: Scene) {
  const foreign = {
    key: '4.0.220.0-24',
    value: '{"PublicIP":"10.8.65.207","BackendType":"vxlan","BackendData":{"VtepMAC":"02:00:00:00:00:01"}}',
  };
  const [own] = await leasesOf(cluster, third.member.address);
  assert.ok(own);
  const etcdLease = `--lease=${BigInt(own.lease).toString(16)}`;
  const future = own.value.replace(/}$/, ',"Future":{"a":[1]}}');
  const readdress = (from: string, to: string) =>
    third.shell.run(`
ip address delete ${from}/16 dev eth0
ip address add ${to}/16 dev eth0
ip route add default via 10.8.0.1`);
  const start = performance.now();
  await put(cluster, foreign);
  const healedMs = await first.until(
    'it is told',
    start,
    async () => assert.match((await first.status()).notes.join(), /4\.0\.220\.0\/24.*vxlan/),
    ASK_EVERY_MS,
  );
  assert.ok(!(await first.status()).peers.some(({ subnet }) => subnet === '4.0.220.0/24'));
  await cluster.etcdctl('del', PREFIX + foreign.key);
  await cluster.etcdctl('put', etcdLease, own.key, future);
  for (const [from, to] of [
    [third.member.address, OTHER_ADDRESS],
    [OTHER_ADDRESS, third.member.address],
  ] as const) {
    await readdress(from, to);
    await first.until('the lease has the address', 0, async () => {
      const [now] = await leasesOf(cluster, to);
      assert.deepEqual([now?.key, now?.value], [own.key, future.replace(third.member.address, to)]);
    });
  }
  await third.settle();
  await cluster.etcdctl('put', etcdLease, own.key, own.value);
  return { healedMs, times: 2 };
}
