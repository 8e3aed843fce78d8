/** Leases that other hosts, or people, have written into etcd: what is bad affects itself alone. */
import assert from 'node:assert/strict';
import { ETCD_URL } from '../../lab/cluster.js';
import type { Row } from '../row.js';
import type { Scene } from '../scene.js';
import { ASK_EVERY_MS } from '../station.js';

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
    id: 'D6',
    fault: 'a lease changes its owner ten times a second',
    expected: 'The row of that peer follows; all others are as they were.',
    bar: { lost: 0, cpuPercent: 20 },
    counts: COUNTS,
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
const FLIPS = 20;

async function flipFlop({ first, cluster }: Scene) {
  const key = '4.0.200.0-24';
  const start = performance.now();
  for (let flip = 0; flip < FLIPS; flip++) {
    const publicIp = `10.8.65.${200 + (flip % 2)}`;
    await put(cluster, { key, value: lease(publicIp) });
    const flipped = start + flip * 100;
    await first.until('the row follows', flipped, async () => assert.ok(performance.now() > flipped));
  }
  await first.until('the last owner has the row', start, async () =>
    assert.ok(
      (await first.status()).peers.some(({ publicIp }) => publicIp === `10.8.65.${200 + ((FLIPS - 1) % 2)}`),
    ),
  );
  const faultMs = performance.now() - start;
  await cluster.etcdctl('del', PREFIX + key);
  await first.until('the row is gone', start, async () =>
    assert.ok(!(await first.status()).peers.some(({ subnet }) => subnet === '4.0.200.0/24')),
  );
  return { faultMs };
}
