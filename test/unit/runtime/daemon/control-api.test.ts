import assert from 'node:assert/strict';
import test from 'node:test';
import type { Event } from '../../../../src/model/event.js';
import type { Explanation } from '../../../../src/model/explanation.js';
import { type ControlReply, type ControlRequest, type Log, NEVER } from '../../../../src/ports.js';
import { type ControlSources, controlApi } from '../../../../src/runtime/daemon/control-api.js';
import type { Daemon } from '../../../../src/runtime/daemon/daemon.js';
import type { MonitorSources } from '../../../../src/runtime/daemon/monitor-api.js';
import { EventLog } from '../../../../src/runtime/log/event-log.js';
import { DAEMON_CONFIG, type DaemonWorld, withDaemon } from '../../../fakes/daemon-world.js';
import { FakeClock, settle } from '../../../fakes/fake-clock.js';
import { FakeMeters } from '../../../fakes/fake-meters.js';

const FILE = 'file=%2Fetc%2Fflannelette.yaml';

const NO_MONITOR: MonitorSources = {
  exposition: new FakeMeters(),
  stuck: () => [],
  readiness: () => assert.fail(),
};

const SILENCE: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function sourcesOf(world: DaemonWorld): ControlSources {
  const { daemon, monitor, clock, events } = world;
  return { daemon, monitor, clock, events, status: () => world.status(), explain: world.explain };
}

/** Asks the daemon of `world`; time passes until it has answered. */
async function ask(
  world: DaemonWorld,
  path: string,
  method: ControlRequest['method'] = 'POST',
): Promise<ControlReply> {
  const { signal } = new AbortController();
  const answer = controlApi(sourcesOf(world), signal);
  let reply: ControlReply | undefined;
  void answer({ method, path }, NEVER).then((given) => {
    reply = given;
  });
  await settle();
  while (reply === undefined) await world.clock.advance(10);
  return reply;
}

test('status is the report as JSON', async () => {
  await withDaemon(async (world) => {
    const { status, body } = await ask(world, '/status', 'GET');
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(body), world.status());
    assert.match(body, /^\{\n {2}"version"/, 'for people too');
  });
});

test('apply changes what is to be changed, and tells what that was', async () => {
  await withDaemon(async (world) => {
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const { status, body } = await ask(world, `/apply?${FILE}&timeoutMs=5000`);
    assert.equal(status, 200);
    const { actions, ...rest } = JSON.parse(body);
    assert.deepEqual(rest, { outcome: 'converged', message: '' });
    assert.deepEqual(
      actions.map(({ kind, verb, key, outcome }: Record<string, unknown>) => [kind, verb, key, outcome]),
      [['link', 'update', 'link:flannel0', 'done']],
    );
  });
});

test('apply takes up a changed file before it answers', async () => {
  await withDaemon(async (world) => {
    world.writeConfig(DAEMON_CONFIG.replace('subnetLength: 24 }', 'subnetLength: 24, mtu: 1300 }'));
    const { status } = await ask(world, `/apply?${FILE}`);
    assert.equal(status, 200);
    assert.ok(world.kernel.lines().some((line) => line.startsWith('link flannel0 tun mtu 1300 ')));
  });
});

test('apply of another file than the daemon runs with is refused', async () => {
  await withDaemon(async (world) => {
    assert.deepEqual(await ask(world, '/apply?file=%2Ftmp%2Fother.yaml'), {
      status: 409,
      body: 'The daemon runs with /etc/flannelette.yaml, not with /tmp/other.yaml',
    });
  });
});

test('apply of a bad file says what is wrong with it', async () => {
  await withDaemon(async (world) => {
    world.writeConfig('network: { cidr: 4.0.0.1/16 }');
    const { status, body } = await ask(world, `/apply?${FILE}`);
    assert.equal(status, 422);
    assert.match(body, /4\.0\.0\.1\/16/);
  });
});

test('apply ends at its time-out, with what was tried and why it failed', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = () => 'EBUSY';
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const askedAt = world.clock.boottimeMs();
    const { status, body } = await ask(world, `/apply?${FILE}&timeoutMs=200`);
    const { outcome, message, actions } = JSON.parse(body);
    assert.deepEqual([status, outcome], [200, 'timed out']);
    assert.match(message, /flannelette status/);
    assert.ok(actions.length > 0);
    for (const action of actions) {
      assert.equal(action.outcome, 'failed');
      assert.match(action.error, /^Cannot set link flannel0 /);
    }
    assert.ok(world.clock.boottimeMs() - askedAt <= 210);
  });
});

for (const { query, want } of [
  { query: '', want: 30_000 },
  { query: '&timeoutMs=200', want: 200 },
  { query: '&timeoutMs=7200000', want: 7_200_000 },
]) {
  test(`apply gives up after ${want} ms when asked for "${query}"`, async () => {
    const clock = new FakeClock();
    const stuck: Pick<Daemon, 'config' | 'reload' | 'converge'> = {
      config: { path: '/etc/flannelette.yaml', loadedAt: 0, error: undefined },
      reload: async () => undefined,
      converge: () => new Promise(() => {}),
    };
    const { signal } = new AbortController();
    const answer = controlApi(
      {
        daemon: stuck as Daemon,
        status: () => assert.fail(),
        monitor: NO_MONITOR,
        events: new EventLog(SILENCE, clock),
        explain: () => assert.fail(),
        clock,
      },
      signal,
    );
    let outcome: string | undefined;
    void answer({ method: 'POST', path: `/apply?${FILE}${query}` }, NEVER).then(({ body }) => {
      outcome = JSON.parse(body).outcome;
    });
    await clock.advance(want - 1);
    assert.equal(outcome, undefined);
    await clock.advance(1);
    assert.equal(outcome, 'timed out');
  });
}

test('apply ends as soon as only what something foreign keeps is left', async () => {
  await withDaemon(
    async (world) => {
      const askedAt = world.clock.boottimeMs();
      const { body } = await ask(world, `/apply?${FILE}`);
      const { outcome, message } = JSON.parse(body);
      assert.equal(outcome, 'conflict');
      assert.match(message, /^Something else is in the way: link:flannel0: /);
      assert.ok(world.clock.boottimeMs() - askedAt < 5_000);
    },
    { prepare: (world) => world.kernel.addLink({ name: 'flannel0', kind: 'dummy' }) },
  );
});

test('apply ends when the same fails again and again, and says why', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = () => 'EBUSY';
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const askedAt = world.clock.boottimeMs();
    const { body } = await ask(world, `/apply?${FILE}`);
    const { outcome, message } = JSON.parse(body);
    assert.equal(outcome, 'failed');
    assert.match(message, /^Not everything could be done: link:flannel0: update: Cannot set link flannel0 /);
    assert.ok(world.clock.boottimeMs() - askedAt < 5_000);
  });
});

test('apply does not take another subnet out from under containers unless it is told to', async () => {
  await withDaemon(async (world) => {
    world.writeConfig(DAEMON_CONFIG.replace('4.0.100.0/24', '4.0.7.0/24'));
    const isLeased = async (subnet: string) => (await world.store.valueOf(`subnets/${subnet}`)) !== undefined;
    const { body } = await ask(world, `/apply?${FILE}`);
    assert.equal(JSON.parse(body).outcome, 'refused');
    assert.match(JSON.parse(body).message, /^Nothing was changed: the file pins 4\.0\.7\.0\/24, /);
    assert.deepEqual([await isLeased('4.0.100.0-24'), await isLeased('4.0.7.0-24')], [true, false]);
    assert.deepEqual(
      world.daemon.conditions().map(({ type }) => type),
      ['RenumberRequired'],
    );
    const allowed = await ask(world, `/apply?${FILE}&allowRenumber=true`);
    assert.equal(JSON.parse(allowed.body).outcome, 'converged');
    assert.deepEqual([await isLeased('4.0.100.0-24'), await isLeased('4.0.7.0-24')], [false, true]);
  });
});

for (const timeoutMs of ['soon', '-1', 'NaN', 'Infinity']) {
  test(`a time-out of "${timeoutMs}" is refused`, async () => {
    await withDaemon(async (world) => {
      assert.deepEqual(await ask(world, `/apply?${FILE}&timeoutMs=${timeoutMs}`), {
        status: 400,
        body: `Cannot apply with timeoutMs "${timeoutMs}": must be a number of milliseconds`,
      });
    });
  });
}

test('apply while the store does not answer says so', async () => {
  await withDaemon(async (world) => {
    world.store.goDown();
    const { status, body } = await ask(world, `/apply?${FILE}`);
    assert.equal(status, 503);
    assert.match(body, /^Cannot use fake store: connection refused$/);
  });
});

test('a daemon that is told to stop answers no apply', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = () => 'EBUSY';
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const stop = new AbortController();
    const answer = controlApi(sourcesOf(world), stop.signal);
    const asking = answer({ method: 'POST', path: `/apply?${FILE}` }, NEVER);
    await settle();
    stop.abort(new Error('Received SIGTERM'));
    await assert.rejects(asking, /^Error: Received SIGTERM$/);
  });
});

test('an apply that nobody waits for any more is over', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = () => 'EBUSY';
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    const gone = new AbortController();
    const answer = controlApi(sourcesOf(world), NEVER);
    const asking = answer({ method: 'POST', path: `/apply?${FILE}&timeoutMs=7200000` }, gone.signal);
    await settle();
    gone.abort(new Error('gone'));
    await assert.rejects(asking, /^Error: gone$/);
  });
});

test('monitoring is answered on the same socket', async () => {
  await withDaemon(async (world) => {
    const alive = await ask(world, '/livez', 'GET');
    assert.deepEqual(alive, { status: 200, body: 'alive\n' });
    world.stuck = ['route'];
    assert.deepEqual(await ask(world, '/livez', 'GET'), { status: 503, body: 'stuck: route\n' });
    assert.deepEqual(await ask(world, '/readyz', 'GET'), { status: 200, body: 'ready\n' });
    const { status, contentType } = await ask(world, '/metrics', 'GET');
    assert.deepEqual([status, contentType], [200, 'text/plain']);
  });
});

test('a host on which something is not as wanted is not ready, and alive', async () => {
  await withDaemon(async (world) => {
    world.kernel.refuse = () => 'EBUSY';
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    await world.clock.advance(1_000);
    assert.equal((await ask(world, '/readyz', 'GET')).status, 503);
    assert.equal((await ask(world, '/livez', 'GET')).status, 200);
  });
});

for (const [method, path] of [
  ['GET', '/'],
  ['POST', '/metrics'],
  ['POST', '/status'],
  ['GET', '/apply'],
  ['GET', '/status/'],
  ['GET', '//'],
  ['GET', '*'],
] as const) {
  test(`nothing answers to ${method} ${path}`, async () => {
    await withDaemon(async (world) => {
      assert.deepEqual(await ask(world, path, method), {
        status: 404,
        body: `Nothing answers to ${method} ${path}`,
      });
    });
  });
}

test('events are told in order, and the next one is waited for', async () => {
  await withDaemon(async (world) => {
    const told = async (query: string) =>
      JSON.parse((await ask(world, `/events?${query}`, 'GET')).body) as readonly Event[];
    const all = await told('after=0');
    assert.deepEqual(
      all.map(({ number }) => number),
      all.map((_, index) => index + 1),
    );
    const change = all.find(({ fields }) => fields.key === 'link:flannel0');
    assert.deepEqual([change?.message, change?.level, change?.fields.verb], ['changed', 'info', 'create']);
    const last = all.at(-1)?.number ?? 0;
    assert.deepEqual(await told(`after=${last}&waitMs=50`), []);
    const next = told(`after=${last}&waitMs=60000`);
    world.kernel.foreign({ op: 'set-link', name: 'flannel0', mtu: 1000 });
    assert.deepEqual(
      (await next).slice(0, 1).map(({ number, message, fields }) => [number, message, fields.key]),
      [[last + 1, 'changed', 'link:flannel0']],
    );
    assert.equal((await ask(world, '/events?after=x', 'GET')).status, 400);
  });
});

test('an object is explained with where it comes from, how it stands and what was done last', async () => {
  await withDaemon(async (world) => {
    const { status, body } = await ask(world, '/explain?key=route%3A4.0.0.0%2F16', 'GET');
    assert.equal(status, 200, body);
    const { origin, wanted, found, status: stands, lastChange } = JSON.parse(body) as Explanation;
    assert.deepEqual(origin, {
      config: { key: 'network.cidr' },
      rule: 'backend udp: one route for the whole network',
    });
    assert.deepEqual(found, { state: wanted, ours: true });
    assert.deepEqual([stands?.state, stands?.reason], ['in-sync', '']);
    assert.deepEqual([lastChange?.verb, lastChange?.outcome], ['create', 'done']);
    assert.equal((await ask(world, '/explain?key=route%3A9.9.9.9%2F32', 'GET')).status, 404);
  });
});
