import assert from 'node:assert/strict';
import test from 'node:test';
import { statusText } from '../../../src/cli/render-status.js';
import type { StatusReport } from '../../../src/model/status.js';
import { READY_REPORT } from './ready-report.js';

const SINCE = '2024-01-02T03:04:05.678Z';

test('a daemon that is ready is shown whole, in tables whose columns stand below each other', () => {
  assert.equal(
    statusText(READY_REPORT),
    `flannel0: ready (pid 42)
sync      in conflict since 2024-01-02T03:04:05.678Z: route:4.0.0.0/16 conflict: not ours: dev eth0
health    degraded since 2024-01-02T03:04:05.678Z: ForeignRoute: not ours
config    /etc/flannelette.yaml, loaded 2024-01-02T03:04:05.678Z
store     etcd http://10.8.64.10:2379: live since 2024-01-02T03:04:05.678Z
network   4.0.0.0/16, backend udp, mtu 1472
subnet    4.0.100.0/24 (own lease) at 10.8.65.66
lease     until 2024-01-03T03:04:05.678Z

CONDITION     SINCE                     DETAIL
ForeignRoute  2024-01-02T03:04:05.678Z  route:4.0.0.0/16: not ours: dev eth0

OBJECT            STATE     SINCE                     NEXT TRY                  REASON
link:flannel0     in-sync   2024-01-02T03:04:05.678Z  -
route:4.0.0.0/16  conflict  2024-01-02T03:04:05.678Z  2024-01-02T03:05:00.000Z  not ours: dev eth0
peer:4.0.33.0/24  failed    2024-01-02T03:04:05.678Z  -                         create: no loop

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
  const { network: _, lease: __, ...report } = READY_REPORT;
  assert.equal(
    statusText({
      ...report,
      ready: false,
      reason: 'the store has not been read yet',
      sync: { state: 'unknown', reason: 'the store has not been read yet', since: SINCE },
      health: { state: 'progressing', reason: 'the store has not been read yet', since: SINCE },
      store: { ...READY_REPORT.store, status: 'connecting', error: 'connection refused' },
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
sync      not known since 2024-01-02T03:04:05.678Z: the store has not been read yet
health    progressing since 2024-01-02T03:04:05.678Z: the store has not been read yet
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
  test(`of ${name} it says: ${want}`, () => assert.equal(lineOf({ ...READY_REPORT, lease }, 'lease'), want));
}

test('networks and subnets of both families stand side by side', () => {
  const network = {
    ...(READY_REPORT.network as NonNullable<StatusReport['network']>),
    cidrs: ['4.0.0.0/16', 'fd00:1::/48'],
    subnets: ['4.0.100.0/24', 'fd00:1:0:7::/64'],
    publicIps: ['10.8.65.66', '2001:db8::66'],
  };
  assert.equal(
    lineOf({ ...READY_REPORT, network }, 'network'),
    'network   4.0.0.0/16, fd00:1::/48, backend udp, mtu 1472',
  );
  assert.equal(
    lineOf({ ...READY_REPORT, network }, 'subnet'),
    'subnet    4.0.100.0/24, fd00:1:0:7::/64 (own lease) at 10.8.65.66, 2001:db8::66',
  );
});

test('a file that is not taken is shown with all its mistakes below it', () => {
  const error = '/etc/a.yaml:1:1: wrong\n    network: x\n    ^';
  const text = statusText({ ...READY_REPORT, config: { ...READY_REPORT.config, error } });
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

test('a change on trial has a line', () => {
  const record = { file: '/etc/a.yaml', by: 'alice', pid: 7, startedAt: SINCE, revertsAt: SINCE };
  assert.match(
    lineOf({ ...READY_REPORT, trial: { ...record, state: 'on-trial' } }, 'trial') ?? '',
    /^trial {5}\/etc\/a\.yaml is on trial until 2024-01-02T03:04:05\.678Z, begun by alice /,
  );
});

test('no line ends with blanks', () => assert.doesNotMatch(statusText(READY_REPORT), / $/m));
