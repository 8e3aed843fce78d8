/** The status of a daemon that is ready, with something of everything in it. */
import type { StatusReport } from '../../../src/model/status.js';

const SINCE = '2024-01-02T03:04:05.678Z';

export const READY_REPORT: StatusReport = {
  version: '1.2.3',
  instance: 'flannel0',
  pid: 42,
  startedAt: SINCE,
  ready: true,
  reason: '',
  sync: { state: 'conflict', reason: 'route:4.0.0.0/16 conflict: not ours: dev eth0', since: SINCE },
  health: { state: 'degraded', reason: 'ForeignRoute: not ours', since: SINCE },
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
    {
      kind: 'route',
      key: 'route:4.0.0.0/16',
      state: 'conflict',
      reason: 'not ours: dev eth0',
      since: SINCE,
      nextTryAt: '2024-01-02T03:05:00.000Z',
    },
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
