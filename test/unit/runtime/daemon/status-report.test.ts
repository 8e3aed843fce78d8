import assert from 'node:assert/strict';
import test from 'node:test';
import { DAEMON_CONFIG, DaemonWorld, withDaemon } from '../../../fakes/daemon-world.js';

const PEER = '{"PublicIP":"10.8.65.53","PublicIPv6":null}';
const STARTED = '2023-11-14T22:13:20.000Z';
const SETTLED = '2023-11-14T22:13:20.020Z';

test('before anything is known it says what it waits for', () => {
  const { ready, reason, network, lease, objects, peers, notes } = new DaemonWorld(DAEMON_CONFIG).status();
  assert.deepEqual([ready, reason], [false, 'the store has not been read yet']);
  assert.deepEqual(
    { network, lease, objects, peers, notes },
    {
      network: undefined,
      lease: undefined,
      objects: [],
      peers: [],
      notes: [],
    },
  );
});

test('a daemon that is ready says where and since when', async () => {
  await withDaemon(async (world) => {
    const { objects, ...report } = world.status();
    assert.deepEqual(report, {
      version: '1.2.3',
      instance: 'flannel0',
      pid: 42,
      startedAt: STARTED,
      ready: true,
      reason: '',
      sync: { state: 'in-sync', reason: '', since: SETTLED },
      health: { state: 'ready', reason: '', since: SETTLED },
      config: { path: '/etc/flannelette.yaml', loadedAt: STARTED },
      conditions: [],
      store: { description: 'fake store', status: 'live', since: STARTED },
      network: {
        cidrs: ['4.0.0.0/16'],
        backend: 'udp',
        subnets: ['4.0.100.0/24'],
        subnetReason: 'own lease',
        publicIps: ['10.8.65.66'],
        mtu: 1472,
      },
      lease: { etcdLease: '1', expiresAt: '2023-11-15T22:13:20.020Z' },
      peers: [],
      traffic: {
        sentPackets: 0,
        sentBytes: 0,
        receivedPackets: 0,
        receivedBytes: 0,
        drops: {},
        offloads: { tso: true, uso: true, udpSegment: true, udpGro: true, fastPath: true },
      },
      notes: [],
    });
    assert.deepEqual(
      objects.map(({ kind, key, state }) => `${kind} ${key} ${state}`),
      [
        'network-config network-config:config in-sync',
        'lease lease:4.0.100.0-24 in-sync',
        'link link:flannel0 in-sync',
        'sysctl sysctl:net.ipv4.ip_forward in-sync',
        'sysctl sysctl:net.ipv4.conf.flannel0.accept_local in-sync',
        'address address:flannel0 4.0.100.0/32 in-sync',
        'forwarder forwarder:flannel0 in-sync',
        'route route:4.0.0.0/16 in-sync',
        'forward iptables-chain:FLANNEL-FWD in-sync',
        'file file:/run/flannel/subnet.env in-sync',
        'file file:/run/flannel/docker in-sync',
      ],
    );
    assert.ok(objects.every(({ since }) => since >= STARTED && since <= '2023-11-14T22:13:21.000Z'));
  });
});

test('the first object that is not as wanted is the reason for not being ready', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = (operation) => (operation.startsWith('set link') ? 'EBUSY' : undefined);
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    world.firewall.failure = { reads: new Error('no iptables') };
    world.firewall.flushRuleset();
    await world.clock.advance(1_000);
    const { ready, reason, objects } = world.status();
    assert.equal(ready, false);
    assert.match(reason, /^link:flannel0 failed: update: Cannot set link flannel0 .*refused by the test/);
    assert.equal(objects.find(({ kind }) => kind === 'forward')?.state, 'failed');
  });
});

test('a peer is shown with its traffic, and with when it was heard last', async () => {
  await withDaemon(async (world) => {
    await world.store.put('subnets/4.0.32.0-24', PEER);
    await world.store.put('subnets/4.0.33.0-24', PEER.replace('53', '54'));
    await world.clock.advance(100);
    world.dataPlane.traffic.set('4.0.32.0/24', {
      sentPackets: 7,
      sentBytes: 700,
      receivedPackets: 5,
      receivedBytes: 500,
      drops: 1,
      lastReceivedAt: Date.parse('2024-01-02T03:04:05.678Z'),
    });
    assert.deepEqual(world.status().peers, [
      {
        subnet: '4.0.32.0/24',
        publicIp: '10.8.65.53',
        sentPackets: 7,
        sentBytes: 700,
        receivedPackets: 5,
        receivedBytes: 500,
        drops: 1,
        lastReceivedAt: '2024-01-02T03:04:05.678Z',
      },
      { subnet: '4.0.33.0/24', publicIp: '10.8.65.54', ...NOTHING_COUNTED },
    ]);
  });
});

const NOTHING_COUNTED = { sentPackets: 0, sentBytes: 0, receivedPackets: 0, receivedBytes: 0, drops: 0 };

test('of all reasons for drops only those with packets are shown', async () => {
  await withDaemon(async (world) => {
    const counters = world.dataPlane.counters();
    world.dataPlane.counters = () => ({
      ...counters,
      sent: { packets: 3, bytes: 300 },
      received: { packets: 2, bytes: 200 },
      drops: { 'no peer': 4, 'too short': 0 },
    });
    assert.deepEqual(world.status().traffic, {
      sentPackets: 3,
      sentBytes: 300,
      receivedPackets: 2,
      receivedBytes: 200,
      drops: { 'no peer': 4 },
      offloads: { tso: true, uso: true, udpSegment: true, udpGro: true, fastPath: true },
    });
  });
});

test('a fast path that is wanted shows whether it is in force, and a kernel that refuses it is noted', async () => {
  await withDaemon(
    async (world) => {
      const shown = () => {
        const { traffic, notes, ready } = world.status();
        return { fastPath: traffic.offloads.fastPath, notes, ready };
      };
      assert.deepEqual(shown(), { fastPath: true, notes: [], ready: true });
      world.dataPlane.refusesFastPath = true;
      const note = 'the packet loop carries every packet: no such kernel';
      assert.deepEqual(shown(), { fastPath: false, notes: [note], ready: true });
    },
    { text: `${DAEMON_CONFIG}dataplane: { fastPath: true }\n` },
  );
});

test('leases that are left out are noted with the reason, and no key reaches a terminal unquoted', async () => {
  await withDaemon(async (world) => {
    await world.store.put('subnets/4.0.32.0-24', PEER.replace('}', ',"BackendType":"vxlan"}'));
    await world.store.put('subnets/\u001b[31m', PEER);
    await world.clock.advance(100);
    const { notes, ready } = world.status();
    assert.equal(notes.length, 2);
    assert.match(notes[0] ?? '', /^lease "subnets\/\\u001b\[31m" is set aside: /);
    assert.equal(notes[1], 'lease of 4.0.32.0/24 is ignored: backend vxlan, ours is udp');
    assert.equal(ready, true);
  });
});

test('a store that is away, and a file that is wrong, show; the daemon is still ready', async () => {
  await withDaemon(async (world) => {
    world.store.goDown();
    world.writeConfig('network: { cidr: 4.0.0.1/16 }');
    await world.clock.advance(10_000);
    const { ready, store, config } = world.status();
    assert.equal(ready, true);
    assert.deepEqual(store, {
      description: 'fake store',
      status: 'stale',
      since: '2023-11-14T22:13:22.000Z',
      error: 'Cannot use fake store: connection refused',
    });
    assert.match(config.error ?? '', /4\.0\.0\.1\/16/);
  });
});

test('a reservation has no end', async () => {
  await withDaemon(async (world) => assert.deepEqual(world.status().lease, { etcdLease: '0' }), {
    prepare: (world) => world.store.put('subnets/4.0.100.0-24', PEER.replace('10.8.65.53', '10.8.65.66')),
  });
});

test('where the kernel carries the packets the other hosts are shown all the same, but for the ignored', async () => {
  const text = DAEMON_CONFIG.replace('subnetLength: 24 }', 'subnetLength: 24, backend: { type: host-gw } }');
  await withDaemon(
    async (world) => {
      const lease = (last: number, type: string) =>
        `{"PublicIP":"10.8.65.${last}","PublicIPv6":null,"BackendType":"${type}"}`;
      await world.store.put('subnets/4.0.32.0-24', lease(53, 'host-gw'));
      await world.store.put('subnets/4.0.33.0-24', lease(54, 'vxlan'));
      await world.clock.advance(1_000);
      const { peers, notes } = world.status();
      assert.deepEqual(peers, [{ subnet: '4.0.32.0/24', publicIp: '10.8.65.53' }]);
      assert.match(notes.join(), /^lease of 4\.0\.33\.0\/24 is ignored: /);
    },
    { text },
  );
});
