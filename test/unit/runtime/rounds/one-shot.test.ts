import assert from 'node:assert/strict';
import test from 'node:test';
import { reconcilersOf } from '../../../../src/assembly.js';
import { readConfig } from '../../../../src/config/read-config.js';
import type { Undecided } from '../../../../src/model/desired.js';
import type { Desired } from '../../../../src/model/diff.js';
import type { DesiredObjects, FileState, LinkState, SysctlState } from '../../../../src/model/objects.js';
import type { Log } from '../../../../src/ports.js';
import { Inputs } from '../../../../src/runtime/inputs/inputs.js';
import { type Convergence, converge, planAll } from '../../../../src/runtime/rounds/one-shot.js';
import { snapshotAccess } from '../../../../src/runtime/store/snapshot-access.js';
import { desiredObjects, desiredSysctl } from '../../../fakes/desired-objects.js';
import { FakeClock } from '../../../fakes/fake-clock.js';
import { FakeCommands } from '../../../fakes/fake-commands.js';
import { FakeFiles } from '../../../fakes/fake-files.js';
import { FakeFirewall } from '../../../fakes/fake-firewall.js';
import { fakeHost } from '../../../fakes/fake-kernel.js';
import { FakeReconciler } from '../../../fakes/fake-reconciler.js';
import { FakeStore } from '../../../fakes/fake-store.js';

const NEVER = new AbortController().signal;

function link(name: string): Desired<LinkState> {
  const state = { name, kind: 'tun', mtu: 1472, up: true, alias: 'ours', multiQueue: false };
  return { key: `link:${name}`, state };
}

function file(path: string): Desired<FileState> {
  return { key: `file:${path}`, state: { path, content: '', mode: 0o644 } };
}

class OneShotWorld {
  readonly clock = new FakeClock();
  readonly link = new FakeReconciler<LinkState>();
  readonly sysctl = new FakeReconciler<SysctlState>();
  readonly file = new FakeReconciler<FileState>();
  desired: { readonly objects: DesiredObjects } | Undecided = { objects: desiredObjects() };
  timeoutMs = 30_000;
  /** Every action that was tried, in order. */
  readonly tried: string[] = [];
  readonly reconcilers = { link: this.link, sysctl: this.sysctl, file: this.file };

  wanting(objects: Partial<DesiredObjects>): this {
    this.desired = { objects: desiredObjects(objects) };
    return this;
  }

  /** Objects of ours that are there already. */
  having(...objects: readonly Desired<LinkState | SysctlState | FileState>[]): this {
    for (const { key, state } of objects) {
      const reconciler = this.reconcilers[key.split(':')[0] as keyof typeof this.reconcilers];
      (reconciler as FakeReconciler<unknown>).world.set(key, { key, state, ours: true });
    }
    return this;
  }

  /** Converges, however long that takes on the virtual clock. */
  async converge(signal = NEVER): Promise<Convergence> {
    const { reconcilers, clock, timeoutMs } = this;
    const onAction = ({ verb, key }: { verb: string; key: string }, { outcome }: { outcome: string }) => {
      this.tried.push(`${verb} ${key} ${outcome}`);
    };
    const options = { reconcilers, clock, timeoutMs, onAction, desired: () => this.desired };
    let isOver = false;
    const converging = converge(options, signal).finally(() => {
      isOver = true;
    });
    converging.catch(() => {});
    while (!isOver) await clock.advance(50);
    return converging;
  }
}

const busy = () => {
  throw new Error('busy');
};

test('additions of all kinds come before any deletion, and deletions in the reverse order of the kinds', async () => {
  const world = new OneShotWorld()
    .wanting({ link: [link('new')], sysctl: [desiredSysctl('new', '1')], file: [file('/new')] })
    .having(link('old'), desiredSysctl('old', '1'), file('/old'));
  assert.deepEqual(await world.converge(), { outcome: 'converged' });
  assert.deepEqual(world.tried, [
    'create link:new done',
    'create sysctl:new done',
    'create file:/new done',
    'delete file:/old done',
    'delete sysctl:old done',
    'delete link:old done',
  ]);
  assert.equal(world.clock.boottimeMs(), 50, 'nothing was waited for');
});

test('nothing to do is converged, and nothing is tried', async () => {
  const world = new OneShotWorld().wanting({ link: [link('a')] }).having(link('a'));
  assert.deepEqual(await world.converge(), { outcome: 'converged' });
  assert.deepEqual(world.tried, []);
});

test('what one kind needs of another is made before, in one pass', async () => {
  const world = new OneShotWorld().wanting({
    link: [link('a')],
    sysctl: [desiredSysctl('a', '1', ['link:a'])],
  });
  assert.deepEqual(await world.converge(), { outcome: 'converged' });
  assert.deepEqual(world.tried, ['create link:a done', 'create sysctl:a done']);
});

test('after a failure the other additions are made and nothing is deleted', async () => {
  const world = new OneShotWorld()
    .wanting({ link: [link('new')], file: [file('/new')] })
    .having(link('old'), file('/old'));
  world.link.beforeAction = busy;
  const result = await world.converge();
  assert.equal(result.outcome, 'failed');
  assert.deepEqual(
    result.failures.map(({ key, error }) => `${key}: ${error?.message}`),
    ['link:new: busy'],
  );
  assert.deepEqual(
    [...world.link.world.keys(), ...world.file.world.keys()],
    ['link:old', 'file:/old', 'file:/new'],
  );
});

test('a failure is tried again three times, 300 ms apart', async () => {
  const world = new OneShotWorld().wanting({ link: [link('a')] });
  const at: number[] = [];
  world.link.beforeAction = () => {
    at.push(world.clock.boottimeMs());
    throw new Error('busy');
  };
  assert.equal((await world.converge()).outcome, 'failed');
  assert.deepEqual(at, [0, 300, 600, 900]);
});

test('a failure that passes is no failure', async () => {
  const world = new OneShotWorld().wanting({ link: [link('new')] }).having(link('old'));
  let tries = 0;
  world.link.beforeAction = () => {
    if (++tries < 3) throw new Error('busy');
  };
  assert.deepEqual(await world.converge(), { outcome: 'converged' });
  assert.deepEqual(world.tried, [
    'create link:new failed',
    'create link:new failed',
    'create link:new done',
    'delete link:old done',
  ]);
});

test('what somebody else has made meanwhile does not keep the deletions from being looked at', async () => {
  const world = new OneShotWorld().wanting({ link: [link('new')] }).having(link('old'));
  world.link.beforeAction = ({ verb, key, after }) => {
    if (verb !== 'create' || after === undefined) return;
    world.link.world.set(key, { key, state: after, ours: false });
    throw new Error('exists already');
  };
  assert.deepEqual(await world.converge(), { outcome: 'converged' });
  assert.deepEqual([...world.link.world.keys()], ['link:new']);
});

test('something foreign in the way is a conflict; everything else is done', async () => {
  const world = new OneShotWorld().wanting({ link: [link('a')], file: [file('/new')] });
  const theirs = { ...link('a').state, mtu: 9000 };
  world.link.world.set('link:a', { key: 'link:a', state: theirs, ours: false });
  const result = await world.converge();
  assert.equal(result.outcome, 'conflict');
  assert.deepEqual(
    result.conflicts.map(({ key, blocks }) => [key, blocks]),
    [['link:a', true]],
  );
  assert.deepEqual(world.tried, ['create file:/new done']);
  assert.equal(world.link.world.get('link:a')?.state, theirs);
});

test('what waits for something in conflict is left, and is no failure', async () => {
  const world = new OneShotWorld().wanting({
    link: [link('a')],
    sysctl: [desiredSysctl('a', '1', ['link:a'])],
  });
  world.link.world.set('link:a', {
    key: 'link:a',
    state: { ...link('a').state, mtu: 9000 },
    ours: false,
  });
  assert.equal((await world.converge()).outcome, 'conflict');
  assert.deepEqual(world.tried, []);
});

test('what is undone again and again ends at the time-out, and is not tried without a pause', async () => {
  const world = new OneShotWorld().wanting({ link: [link('a')] });
  world.timeoutMs = 3_000;
  world.link.beforeObserve = () => world.link.world.clear();
  assert.deepEqual(await world.converge(), { outcome: 'timed out' });
  assert.equal(world.tried.length, 11);
});

test('while it cannot be told what is wanted nothing is looked at', async () => {
  const world = new OneShotWorld().having(link('old'));
  const undecided = { waitsFor: 'interface', reason: 'no default route' } as const;
  world.desired = undecided;
  assert.deepEqual(await world.converge(), { outcome: 'undecided', undecided });
  assert.deepEqual(world.link.log, []);
});

test('what becomes undecided by what was done is not taken for converged', async () => {
  const world = new OneShotWorld().wanting({ link: [link('a')], file: [file('/a')] });
  const undecided = { waitsFor: 'subnet', reason: 'none is free' } as const;
  world.link.beforeAction = () => {
    world.desired = undecided;
  };
  assert.deepEqual(await world.converge(), { outcome: 'undecided', undecided });
  assert.deepEqual(world.tried, ['create link:a done']);
});

test('it rejects with what observing rejects with, and with the reason of an abort', async () => {
  const world = new OneShotWorld().wanting({ link: [link('a')] });
  world.link.beforeObserve = () => {
    throw new Error('cannot see');
  };
  await assert.rejects(world.converge(), /^Error: cannot see$/);
  const stop = new AbortController();
  const stopped = new OneShotWorld().wanting({ link: [link('a')] });
  stopped.link.beforeAction = () => {
    stop.abort(new Error('stop'));
    throw new Error('busy');
  };
  await assert.rejects(stopped.converge(stop.signal), /^Error: stop$/);
});

test('a plan of everything holds each kind that has a reconciler, and writes nothing', async () => {
  const world = new OneShotWorld().having(link('old'));
  const plans = await planAll(world.reconcilers, desiredObjects({ file: [file('/new')] }), NEVER);
  assert.deepEqual(Object.keys(plans), ['link', 'sysctl', 'file']);
  assert.deepEqual(
    [plans.link, plans.file].flatMap((plan) => plan?.actions.map(({ verb, key }) => `${verb} ${key}`)),
    ['delete link:old', 'create file:/new'],
  );
  assert.deepEqual([...world.link.log, ...world.file.log], ['observe', 'observe']);
});

const CONFIG = `
network: { cidr: 4.0.0.0/16, subnetLength: 24 }
store: { etcd: { endpoints: ["http://10.8.64.10:2379"] } }
`;

test('a subnet that another host takes at the last moment is given up, and another one is leased', async () => {
  const reading = readConfig(CONFIG, 'flannelette.yaml');
  assert.ok('config' in reading);
  const [store, kernel, files, clock] = [new FakeStore(), fakeHost(), new FakeFiles(), new FakeClock()];
  const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
  const access = snapshotAccess(store);
  const inputs = new Inputs({
    config: reading.config,
    storeView: () => access.view(),
    netlink: kernel.netlink,
    sysctls: kernel.sysctls,
    files,
    clock,
    random: { next: () => 0.5 },
    log,
    forwards: false,
  });
  await access.refresh(NEVER);
  await inputs.observeHost();
  const planned = inputs.state();
  assert.ok('subnets' in planned);
  const [lost] = planned.objects.lease;
  assert.ok(lost);
  const lostKey = lost.key.replace('lease:', 'subnets/');
  // The first write is the network's, the second the lease's.
  store.beforeWrite = async () => {
    store.beforeWrite = () => store.put(lostKey, '{"PublicIP":"10.8.64.99","PublicIPv6":null}');
  };

  const tried: string[] = [];
  const converging = converge(
    {
      reconcilers: reconcilersOf(
        { ...kernel, firewall: new FakeFirewall(), files, commands: new FakeCommands(), clock },
        inputs,
        access,
      ),
      desired: () => inputs.state(),
      clock,
      timeoutMs: 30_000,
      onAction: ({ kind, verb, key }, { outcome, error }) => {
        if (kind === 'lease') tried.push([verb, key, outcome, error?.name ?? ''].join(' ').trim());
      },
    },
    NEVER,
  );
  await clock.advance(1_000);
  assert.deepEqual(await converging, { outcome: 'converged' });

  const state = inputs.state();
  assert.ok('subnets' in state);
  const taken = `lease:${state.subnets.ipv4?.replace('/', '-')}`;
  assert.notEqual(taken, lost.key);
  assert.deepEqual(tried, [`create ${lost.key} failed LostRaceError`, `create ${taken} done`]);
  assert.match((await store.valueOf(lostKey)) ?? '', /10\.8\.64\.99/);
  assert.equal(store.asked.grantLease, 2);
  assert.deepEqual(
    kernel.lines().filter((line) => line.startsWith('address 4.')),
    [`address ${state.subnets.ipv4?.replace('/24', '')}/32 dev flannel0 scope global`],
  );
});
