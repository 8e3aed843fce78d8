import assert from 'node:assert/strict';
import test from 'node:test';
import { statusText } from '../../../src/cli/render-status.js';
import type { StatusReport } from '../../../src/model/status.js';

const SINCE = '2024-01-02T03:04:05.678Z';

const READY: StatusReport = {
  version: '1.2.3',
  instance: 'flannel0',
  pid: 42,
  startedAt: SINCE,
  ready: true,
  reason: '',
  config: { path: '/etc/flannelette.yaml', loadedAt: SINCE },
  conditions: [{ type: 'ForeignRoute', message: 'route:4.0.0.0/16: not ours: dev eth0', since: SINCE }],
  store: { description: 'etcd http://10.8.64.10:2379', status: 'live', since: SINCE },
  network: {
    cidrs: ['4.0.0.0/16'],
    backend: 'udp',
    subnets: ['4.0.100.0/24'],
    subnetReason: 'own lease',
    publicIps: ['10.8.65.66'],
    mtu: 1472,
  },
  lease: { etcdLease: '7', expiresAt: '2024-01-03T03:04:05.678Z' },
  objects: [
    { kind: 'link', key: 'link:flannel0', state: 'in-sync', reason: '', since: SINCE },
    { kind: 'route', key: 'route:4.0.0.0/16', state: 'conflict', reason: 'not ours: dev eth0', since: SINCE },
    { kind: 'peer', key: 'peer:4.0.32.0/24', state: 'in-sync', reason: '', since: SINCE },
    { kind: 'peer', key: 'peer:4.0.33.0/24', state: 'failed', reason: 'create: no loop', since: SINCE },
  ],
  peers: [
    {
      subnet: '4.0.32.0/24',
      publicIp: '10.8.65.53',
      sentPackets: 12_345,
      receivedPackets: 6,
      drops: 0,
      lastReceivedAt: SINCE,
    },
    { subnet: '4.0.200.0/24', publicIp: '10.8.65.5', sentPackets: 0, receivedPackets: 0, drops: 7 },
  ],
  traffic: {
    sentPackets: 12_345,
    sentBytes: 1_000_000,
    receivedPackets: 6,
    receivedBytes: 600,
    drops: { 'no-peer': 3, 'bad-source': 1 },
    offloads: { gso: true, gro: false, checksum: true },
  },
  notes: ['lease "subnets/x" is set aside: bad key', 'another'],
};

test('a daemon that is ready is shown whole, in tables whose columns stand below each other', () => {
  assert.equal(
    statusText(READY),
    `flannel0: ready (pid 42)
config    /etc/flannelette.yaml, loaded 2024-01-02T03:04:05.678Z
store     etcd http://10.8.64.10:2379: live since 2024-01-02T03:04:05.678Z
network   4.0.0.0/16, backend udp, mtu 1472
subnet    4.0.100.0/24 (own lease) at 10.8.65.66
lease     until 2024-01-03T03:04:05.678Z

CONDITION     SINCE                     DETAIL
ForeignRoute  2024-01-02T03:04:05.678Z  route:4.0.0.0/16: not ours: dev eth0

OBJECT            STATE     SINCE                     REASON
link:flannel0     in-sync   2024-01-02T03:04:05.678Z
route:4.0.0.0/16  conflict  2024-01-02T03:04:05.678Z  not ours: dev eth0
peer:4.0.33.0/24  failed    2024-01-02T03:04:05.678Z  create: no loop

PEER          AT          SENT   RECEIVED  DROPPED  LAST HEARD
4.0.32.0/24   10.8.65.53  12345  6         0        2024-01-02T03:04:05.678Z
4.0.200.0/24  10.8.65.5   0      0         7        never

sent 12345 packets, 1000000 bytes; received 6 packets, 600 bytes
dropped: no-peer 3, bad-source 1
offload: gso, checksum

note: lease "subnets/x" is set aside: bad key
note: another
`,
  );
});

test('one that knows nothing yet says what it waits for, and shows no empty tables', () => {
  const { network: _, lease: __, ...report } = READY;
  assert.equal(
    statusText({
      ...report,
      ready: false,
      reason: 'the store has not been read yet',
      store: { ...READY.store, status: 'connecting', error: 'connection refused' },
      conditions: [],
      objects: [],
      peers: [],
      traffic: {
        sentPackets: 0,
        sentBytes: 0,
        receivedPackets: 0,
        receivedBytes: 0,
        drops: {},
        offloads: {},
      },
      notes: [],
    }),
    `flannel0: not ready: the store has not been read yet (pid 42)
config    /etc/flannelette.yaml, loaded 2024-01-02T03:04:05.678Z
store     etcd http://10.8.64.10:2379: connecting since 2024-01-02T03:04:05.678Z (connection refused)

sent 0 packets, 0 bytes; received 0 packets, 0 bytes
dropped: none
offload: none
`,
  );
});

/** The first line that begins with `word`. */
function lineOf(report: StatusReport, word: string): string | undefined {
  return statusText(report)
    .split('\n')
    .find((line) => line.startsWith(word));
}

for (const { name, lease, want } of [
  { name: 'a reservation', lease: { etcdLease: '0' }, want: 'lease     reserved, does not expire' },
  {
    name: 'a lease before the first answer',
    lease: { etcdLease: '7' },
    want: 'lease     until not known yet',
  },
]) {
  test(`of ${name} it says: ${want}`, () => assert.equal(lineOf({ ...READY, lease }, 'lease'), want));
}

test('networks and subnets of both families stand side by side', () => {
  const network = {
    ...(READY.network as NonNullable<StatusReport['network']>),
    cidrs: ['4.0.0.0/16', 'fd00:1::/48'],
    subnets: ['4.0.100.0/24', 'fd00:1:0:7::/64'],
    publicIps: ['10.8.65.66', '2001:db8::66'],
  };
  assert.equal(
    lineOf({ ...READY, network }, 'network'),
    'network   4.0.0.0/16, fd00:1::/48, backend udp, mtu 1472',
  );
  assert.equal(
    lineOf({ ...READY, network }, 'subnet'),
    'subnet    4.0.100.0/24, fd00:1:0:7::/64 (own lease) at 10.8.65.66, 2001:db8::66',
  );
});

test('a file that is not taken is shown with all its mistakes below it', () => {
  const error = '/etc/a.yaml:1:1: wrong\n    network: x\n    ^';
  const text = statusText({ ...READY, config: { ...READY.config, error } });
  assert.ok(
    text.includes(
      `loaded 2024-01-02T03:04:05.678Z
          kept, because: /etc/a.yaml:1:1: wrong
    network: x
    ^
store `,
    ),
    text,
  );
});

test('no line ends with blanks', () => assert.doesNotMatch(statusText(READY), / $/m));
