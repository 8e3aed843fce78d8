/** Docker and we are restarted in turn under running pings, and what that costs the containers. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { type Member, memberAt } from '../lab/cluster.js';
import { assertReached, type Containers, onDockerHosts, startContainers } from '../lab/docker-scene.js';
import { type PingOutcome, PingStream } from '../lab/ping-stream.js';
import type { LongProcess } from '../lab/process.js';
import { flannelette } from '../lab/repository.js';

/** What a restart of ours may cost where checking a file takes `VALIDATE_MS`, Node's start included; a slower machine gets more. */
const MOST_OUTAGE_MS = 500;
const VALIDATE_MS = 160;
/** Docker's bridge and rules stay; what is lost is lost to a busy machine. */
const DOCKER_OUTAGE_MS = 100;
const START_MS = 30_000;

test('restarts under running pings', { timeout: 180_000 }, async (t) => {
  await onDockerHosts({}, async (scene) => {
    const { cluster, engines } = scene;
    const member = memberAt(cluster, 0);
    const [first] = await Promise.all(cluster.members.map(runUndisturbed));
    assert.ok(first);
    let daemon: LongProcess = first;
    await Promise.all(engines.map((engine) => engine.start('--live-restore')));
    const containers = await startContainers(scene);
    await assertReached(scene, containers);

    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await t.test(`ours by ${signal}`, (t) =>
        assertShort(t, member, containers, async () => {
          daemon.signal(signal);
          await daemon.exited;
          daemon = await runUndisturbed(member);
        }),
      );
    }

    for (const signal of ['TERM', 'KILL'] as const) {
      await t.test(`Docker's by SIG${signal}, its containers live on`, async (t) => {
        const { lost, longestOutageMs } = await pingsDuring(containers, async () => {
          await engines[0].stop(signal);
          await engines[0].start('--live-restore');
        });
        t.diagnostic(`SIG${signal}: ${lost} pings lost, outage ${longestOutageMs} ms`);
        assert.ok(longestOutageMs <= DOCKER_OUTAGE_MS, `outage of ${longestOutageMs} ms`);
        await assertReached(scene, containers);
      });
    }

    await t.test('ours while etcd is away, and nobody can be asked', async (t) => {
      cluster.etcdProcess.signal('SIGSTOP');
      await assertShort(t, member, containers, async () => {
        daemon.signal('SIGKILL');
        await daemon.exited;
        daemon = startUndisturbed(member);
        await daemon.waitForLine(/"msg":"forwarding resumed"/, START_MS);
      });
      cluster.etcdProcess.signal('SIGCONT');
      await daemon.waitForLine(/"msg":"ready"/, START_MS);
      await assertReached(scene, containers);
    });
  });
});

async function assertShort(
  t: TestContext,
  member: Member,
  containers: Containers,
  restart: () => Promise<void>,
): Promise<void> {
  const mostMs = Math.round(MOST_OUTAGE_MS * (await slowness(member)));
  const { longestOutageMs: ms } = await pingsDuring(containers, restart);
  t.diagnostic(`outage ${ms} ms, at most ${mostMs} ms`);
  assert.ok(ms <= mostMs, `outage of ${ms} ms, at most ${mostMs} ms`);
}

async function pingsDuring({ a, c }: Containers, work: () => Promise<void>): Promise<PingOutcome> {
  const undisturbed = { spawn: (argv: readonly string[]) => a.spawn([...UNDISTURBED, ...argv]) };
  const pings = await PingStream.start(undisturbed, c.address);
  await work();
  return pings.finish();
}

/** Ahead of whatever else the machine does: its other work must not count. */
const UNDISTURBED = ['chrt', '--rr', '1'];

function startUndisturbed({ host, configPath }: Member): LongProcess {
  return host.spawn([...UNDISTURBED, ...flannelette('run', '-f', configPath)]);
}

async function runUndisturbed(member: Member): Promise<LongProcess> {
  const daemon = startUndisturbed(member);
  await daemon.waitForLine(/"msg":"ready"/, START_MS);
  return daemon;
}

/** How much slower than agreed this machine is just now: 1 when it is not. */
async function slowness({ host, configPath }: Member): Promise<number> {
  const starts: number[] = [];
  for (let run = 0; run < 3; run++) {
    const begun = performance.now();
    await host.output([...UNDISTURBED, ...flannelette('validate', '-f', configPath)]);
    starts.push(performance.now() - begun);
  }
  const [, median = 0] = starts.sort((left, right) => left - right);
  return Math.max(1, median / VALIDATE_MS);
}
