import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import test from 'node:test';
import { isDecided } from '../../../../src/model/desired.js';
import { SystemError } from '../../../../src/ports.js';
import { Daemon } from '../../../../src/runtime/daemon/daemon.js';
import type { Attempt } from '../../../../src/runtime/rounds/settling.js';
import { DAEMON_CONFIG, DaemonWorld, withDaemon } from '../../../fakes/daemon-world.js';
import { settle } from '../../../fakes/fake-clock.js';

const PEER = '{"PublicIP":"10.8.65.53","PublicIPv6":null}';

/** What of the network is in the kernel. */
function ours({ kernel }: DaemonWorld): readonly string[] {
  return kernel.lines().filter((line) => /flannel0/.test(line));
}

const IN_PLACE = [
  'address 4.0.100.0/32 dev flannel0 scope global',
  'link flannel0 tun mtu 1472 up alias "flannelette flannel0"',
  'route 4.0.0.0/16 dev flannel0 proto 77',
  'sysctl net.ipv4.conf.flannel0.accept_local = 1',
];

test('a daemon on a bare host makes everything and is ready', async () => {
  await withDaemon(async (world) => {
    assert.deepEqual(ours(world), IN_PLACE);
    assert.equal(world.daemon.isReady, true);
    assert.equal(world.said.at(-1), 'ready');
    // What had not been read yet was nothing to be told.
    assert.ok(!world.said.some((message) => message.startsWith('condition')), world.said.join());
    assert.deepEqual(world.dataPlane.log, ['configure flannel0']);
    assert.match(
      (await world.files.read('/run/flannel/subnet.env'))?.content ?? '',
      /^FLANNEL_SUBNET=4\.0\.100\.1\/24$/m,
    );
    assert.equal(
      await world.store.valueOf('subnets/4.0.100.0-24'),
      '{"PublicIP":"10.8.65.66","PublicIPv6":null}',
    );
    assert.deepEqual(world.daemon.leaseTerm(), {
      etcdLease: '1',
      expiresAt: world.clock.now() - world.clock.boottimeMs() + 20 + 24 * 3_600_000,
    });
  });
});

test('in the steady state nothing is written or said', async () => {
  await withDaemon(async (world) => {
    const { writes } = world;
    const { length } = world.said;
    await world.clock.advance(600_000);
    assert.equal(world.writes, writes);
    assert.deepEqual(world.said.slice(length), []);
  });
});

test('another host that comes gets a row, and one that goes loses it', async () => {
  await withDaemon(async (world) => {
    await world.store.put('subnets/4.0.32.0-24', PEER);
    await world.clock.advance(100);
    assert.deepEqual(world.dataPlane.peers(), [
      { subnet: '4.0.32.0/24', publicIp: '10.8.65.53', port: 8285 },
    ]);
    await world.store.delete('subnets/4.0.32.0-24');
    await world.clock.advance(100);
    assert.deepEqual(world.dataPlane.peers(), []);
    assert.equal(world.daemon.isReady, true);
  });
});

test('what is deleted by hand is made again at once', async () => {
  await withDaemon(async (world) => {
    world.kernel.foreign({ op: 'delete-link', name: 'flannel0' });
    world.firewall.flushRuleset();
    world.files.delete('/run/flannel');
    await world.clock.advance(500);
    assert.deepEqual(ours(world), IN_PLACE);
    assert.notEqual(world.dataPlane.forwarder(), undefined);
    assert.notEqual(await world.files.read('/run/flannel/subnet.env'), undefined);
    assert.equal(world.daemon.isReady, true);
  });
});

test('a packet loop that dies is started again, with all its rows', async () => {
  await withDaemon(async (world) => {
    await world.store.put('subnets/4.0.32.0-24', PEER);
    await world.clock.advance(100);
    world.dataPlane.die();
    await world.clock.advance(500);
    assert.equal(world.dataPlane.peers().length, 1);
    assert.equal(world.daemon.isReady, true);
  });
});

test('a lease that is lost is taken again', async () => {
  await withDaemon(async (world) => {
    await world.store.expire('1');
    await world.clock.advance(500);
    assert.equal(world.daemon.leaseTerm()?.etcdLease, '2');
    assert.equal(world.store.asked.keepAlive, 2, 'and refreshed at once');
    assert.equal(world.daemon.isReady, true);
  });
});

/** What is due at a third of the lease's time is the same for a short one, and a day of a whole daemon takes long. */
const TTL_MS = 600_000;
const withShortLease = (text: string) => text.replace('etcd: {', 'etcd: { leaseTTL: 10m,');

test('the lease is kept alive, and is known to be at risk, while nothing can be planned', async () => {
  await withDaemon(
    async (world) => {
      world.kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
      await world.clock.advance(15_000);
      const conditions = () => world.daemon.conditions().map(({ type }) => type);
      assert.deepEqual(conditions(), ['InterfaceUnusable']);
      const { keepAlive } = world.store.asked;
      await world.clock.advance((25 / 24) * TTL_MS);
      assert.equal(world.store.asked.keepAlive, keepAlive + 3);
      world.store.goDown();
      await world.clock.advance((21 / 24) * TTL_MS);
      assert.deepEqual(conditions(), ['EtcdUnavailable', 'LeaseAtRisk', 'InterfaceUnusable']);
    },
    { text: withShortLease(DAEMON_CONFIG) },
  );
});

const VXLAN_CONFIG = withShortLease(`
network: { cidr: 4.0.0.0/16, backend: { type: vxlan } }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`);

for (const [what, from, to] of [
  ['place', '4.0.0.0/16', '4.9.0.0/16'],
  ['backend', 'type: vxlan', 'type: host-gw'],
  ['VNI', 'type: vxlan', 'type: vxlan, vni: 7'],
  ['port', 'type: vxlan', 'type: vxlan, port: 4789'],
] as const) {
  test(`a file with another ${what} than the store's cuts no host off`, async () => {
    await withDaemon(
      async (world) => {
        const peer = (last: number) =>
          `{"PublicIP":"10.8.65.${last}","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"6e:2d:41:00:00:${last}"}}`;
        await world.store.put('subnets/4.0.32.0-24', peer(53));
        await world.clock.advance(500);
        const before = world.kernel.lines();
        assert.ok(before.some((line) => line.startsWith('route 4.0.32.0/24 via 4.0.32.0 dev flannel.1')));

        world.writeConfig(VXLAN_CONFIG.replace(from, to));
        await world.clock.advance(60_000);
        assert.deepEqual(world.kernel.lines(), before);
        assert.deepEqual(
          world.daemon.conditions().map(({ type }) => type),
          ['NetworkConflict'],
        );
        // It goes on: who comes is a peer, and its lease lives.
        await world.store.put('subnets/4.0.33.0-24', peer(54));
        const { keepAlive } = world.store.asked;
        await world.clock.advance((9 / 24) * TTL_MS);
        assert.ok(world.kernel.lines().some((line) => line.startsWith('route 4.0.33.0/24 ')));
        assert.equal(world.store.asked.keepAlive, keepAlive + 1);

        world.writeConfig(VXLAN_CONFIG);
        await world.clock.advance(1_000);
        assert.equal(world.daemon.isReady, true);
      },
      { text: VXLAN_CONFIG },
    );
  });
}

test('a store that goes away stops nothing', async () => {
  await withDaemon(async (world) => {
    await world.store.put('subnets/4.0.32.0-24', PEER);
    await world.clock.advance(100);
    world.store.goDown();
    const { writes } = world;
    await world.clock.advance(120_000);
    assert.equal(world.daemon.isReady, true);
    assert.deepEqual(world.dataPlane.peers().length, 1);
    assert.equal(world.writes, writes);
    // And what is deleted meanwhile is still made again.
    world.kernel.foreign({ op: 'delete-link', name: 'flannel0' });
    await world.clock.advance(500);
    assert.deepEqual(ours(world), IN_PLACE);
  });
});

test('without a store nothing is touched, until it comes', async () => {
  await withDaemon(
    async (world) => {
      assert.equal(world.writes, 0);
      assert.equal(world.daemon.isReady, false);
      world.store.comeBack();
      await world.clock.advance(3_000);
      assert.deepEqual(ours(world), IN_PLACE);
      assert.equal(world.daemon.isReady, true);
    },
    { prepare: (world) => world.store.goDown() },
  );
});

test('what stands in the way is not touched, and keeps it from being ready until it is gone', async () => {
  await withDaemon(
    async (world) => {
      assert.equal(world.daemon.isReady, false);
      assert.deepEqual(ours(world), ['link flannel0 dummy mtu 1500 down']);
      world.kernel.foreign({ op: 'delete-link', name: 'flannel0' });
      await world.clock.advance(500);
      assert.equal(world.daemon.isReady, true);
      assert.deepEqual(ours(world), IN_PLACE);
    },
    { prepare: ({ kernel }) => kernel.addLink({ name: 'flannel0', kind: 'dummy' }) },
  );
});

// ---- the file --------------------------------------------------------------------------------------------

test('a changed file takes effect by itself', async () => {
  await withDaemon(async (world) => {
    world.writeConfig(DAEMON_CONFIG.replace('subnetLength: 24 }', 'subnetLength: 24, mtu: 1300 }'));
    await world.clock.advance(500);
    assert.ok(ours(world).includes('link flannel0 tun mtu 1300 up alias "flannelette flannel0"'));
    assert.ok(world.said.includes('configuration loaded'));
    assert.equal(world.daemon.config.loadedAt, world.clock.now() - 500);
    assert.equal(world.daemon.isReady, true);
  });
});

test('a file that was touched and says the same is not loaded again', async () => {
  await withDaemon(async (world) => {
    const { loadedAt } = world.daemon.config;
    world.writeConfig(`${DAEMON_CONFIG}# a comment\n`);
    await world.clock.advance(500);
    assert.equal(world.daemon.config.loadedAt, loadedAt);
    assert.ok(!world.said.includes('configuration loaded'));
  });
});

test('a bad file changes nothing, is told once, and is forgotten when it is good again', async () => {
  await withDaemon(async (world) => {
    const { writes } = world;
    world.writeConfig('network: { cidr: 4.0.0.1/16 }');
    await world.clock.advance(200_000);
    assert.equal(world.writes, writes);
    assert.equal(world.daemon.isReady, true);
    assert.match(world.daemon.config.error ?? '', /^"4\.0\.0\.1\/16" is not allowed/);
    assert.equal(world.said.filter((line) => line.startsWith('configuration kept')).length, 1);
    world.writeConfig(DAEMON_CONFIG);
    await world.clock.advance(500);
    assert.equal(world.daemon.config.error, undefined);
  });
});

test('a changed instance needs a restart, and nothing else of that file is taken either', async () => {
  await withDaemon(async (world) => {
    const changed = DAEMON_CONFIG.replace('subnetLength: 24 }', 'subnetLength: 24, mtu: 1300 }');
    world.writeConfig(`${changed}instance: { name: green }\n`);
    assert.equal(
      await world.daemon.reload(),
      'section instance has changed: restart the daemon for it to take effect',
    );
    await world.clock.advance(500);
    assert.deepEqual(ours(world), IN_PLACE);
  });
});

test('another store in the file is followed, and the host has its lease there', async () => {
  await withDaemon(async (world) => {
    const [first] = world.stores;
    world.writeConfig(DAEMON_CONFIG.replace('10.8.64.10', '10.8.64.20'));
    await world.clock.advance(2_000);
    assert.equal(world.stores.length, 2);
    assert.notEqual(world.store, first);
    assert.match((await world.store.valueOf('subnets/4.0.100.0-24')) ?? '', /10\.8\.65\.66/);
    assert.deepEqual(ours(world), IN_PLACE);
    assert.equal(world.daemon.isReady, true);
  });
});

test('a slow reading of the file does not overtake a newer one', async () => {
  await withDaemon(async (world) => {
    let finish = () => {};
    world.afterReading = async () => {
      world.afterReading = async () => {};
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    };
    const slow = world.daemon.reload();
    await settle();
    world.writeConfig(DAEMON_CONFIG.replace('subnetLength: 24 }', 'subnetLength: 24, mtu: 1300 }'));
    const quick = world.daemon.reload();
    await settle();
    finish();
    await Promise.all([slow, quick]);
    assert.equal(world.inputs.config.network.mtu, 1300);
  });
});

// ---- converging on request -------------------------------------------------------------------------------

test('converging resolves after every loop has looked again, and tells what was tried', async () => {
  await withDaemon(async (world) => {
    const attempts: Attempt[] = [];
    let isOver = false;
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const converging = world.daemon
      .converge((attempt) => attempts.push(attempt), new AbortController().signal)
      .then(() => {
        isOver = true;
      });
    await world.clock.advance(100);
    await converging;
    assert.equal(isOver, true);
    assert.deepEqual(
      attempts.map(({ action: { verb, key, reason }, result: { outcome } }) => [verb, key, reason, outcome]),
      [['update', 'link:flannel0', 'mtu 1000, want 1472', 'done']],
    );
    assert.deepEqual(ours(world), IN_PLACE);
  });
});

test('it waits for what is not as wanted, until it is or the signal aborts', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = (operation) => (operation.startsWith('set link') ? 'EBUSY' : undefined);
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const ended: string[] = [];
    const stop = new AbortController();
    const converge = (name: string, signal: AbortSignal) =>
      world.daemon
        .converge(() => {}, signal)
        .then(
          () => ended.push(`${name} done`),
          (error: Error) => ended.push(`${name} ${error.message}`),
        );
    void converge('first', stop.signal);
    void converge('second', new AbortController().signal);
    await world.clock.advance(500);
    assert.deepEqual(ended, []);
    stop.abort(new Error('stop'));
    await settle();
    assert.deepEqual(ended, ['first stop']);
    world.kernel.refuse = () => undefined;
    await world.clock.advance(15_000);
    assert.deepEqual(ended, ['first stop', 'second done']);
  });
});

test('it reads the store anew, and rejects when that does not answer', async () => {
  await withDaemon(async (world) => {
    const { signal } = new AbortController();
    const { snapshot } = world.store.asked;
    const converging = world.daemon.converge(() => {}, signal);
    await world.clock.advance(100);
    await converging;
    assert.equal(world.store.asked.snapshot, snapshot + 1);
    world.store.goDown();
    await assert.rejects(
      world.daemon.converge(() => {}, signal),
      { name: 'StoreUnavailableError' },
    );
  });
});

// ---- the end ---------------------------------------------------------------------------------------------

test('at the end the packet loop is shut down, and everything on the host stays', async () => {
  let world = new DaemonWorld(DAEMON_CONFIG);
  let writes = 0;
  await withDaemon(async (started) => {
    world = started;
    writes = world.store.asked.write;
  });
  assert.equal(world.dataPlane.log.at(-1), 'shut down');
  assert.equal(world.dataPlane.forwarder(), undefined);
  assert.deepEqual(
    ours(world).map((line) => line.replace(' no-carrier', '')),
    IN_PLACE,
  );
  assert.notEqual(await world.files.read('/run/flannel/subnet.env'), undefined);
  assert.equal(world.store.asked.write, writes);
});

test('a daemon that comes after it takes everything over and changes nothing', async () => {
  await withDaemon(async (world) => {
    const before = { lines: world.kernel.lines(), writes: world.kernel.log.length + world.files.writes };
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const again = new Daemon(world.dependencies);
    const running = again.run(stop.signal);
    await world.clock.advance(2_000);
    assert.equal(again.isReady, true);
    assert.deepEqual(world.kernel.lines(), before.lines);
    assert.equal(world.kernel.log.length + world.files.writes, before.writes);
    stop.abort();
    await running;
  });
});

test('a packet loop that does not end is given up after half a second', async () => {
  const world = new DaemonWorld(DAEMON_CONFIG);
  world.dataPlane.shutDown = () => new Promise(() => {});
  const running = world.daemon.run(AbortSignal.abort());
  const ended = assert.rejects(running, /Cannot finish stopping the packet loop/);
  await world.clock.advance(500);
  await ended;
});

test('a part that fails for good is not kept to oneself', async () => {
  const world = new DaemonWorld(DAEMON_CONFIG);
  world.kernel.netlink.watch = () => {
    throw new SystemError('Cannot open a socket (EMFILE)', 'EMFILE');
  };
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  await assert.rejects(world.daemon.run(stop.signal), /EMFILE/);
  assert.equal(world.dataPlane.log.at(-1), 'shut down');
  stop.abort();
  await settle();
  assert.equal(world.clock.sleeping, 0);
});

test('what is ready is decided by the loops and by what is wanted', async () => {
  await withDaemon(async (world) => {
    const state = world.inputs.state();
    assert.ok(isDecided(state));
    world.kernel.foreign({ op: 'set-link', name: 'eth0', up: false });
    await world.clock.advance(500);
    assert.equal(world.daemon.isReady, false, 'without a default route no interface is chosen');
    assert.notEqual(world.dataPlane.forwarder(), undefined, 'but packets go on');
  });
});
