/** Docker and we, in whatever order the two start on a host that has just booted: the outcome is the same. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { StatusReport } from '../../src/model/status.js';
import { type Member, memberAt } from '../lab/cluster.js';
import { statusOf } from '../lab/daemon-status.js';
import { type DockerEngine, OPTIONS_FILE } from '../lab/docker-engine.js';
import {
  assertReached,
  assertTransferred,
  type DockerScene,
  onDockerHosts,
  startContainers,
} from '../lab/docker-scene.js';
import { eventually } from '../lab/eventually.js';
import { flannelette } from '../lab/repository.js';

const SEEN_MS = 10_000;
const TCP_BYTES = 300_000_000;
const FEW_BYTES = 5_000_000;

/** The second host is up before; `start` starts both on the first one. */
async function inOrder(
  start: (member: Member, engine: DockerEngine, scene: DockerScene) => Promise<void>,
  { bytes = FEW_BYTES, check = async () => {} }: Partial<Outcome> = {},
): Promise<void> {
  await onDockerHosts({}, async (scene) => {
    const { cluster, engines } = scene;
    const [member, second] = [memberAt(cluster, 0), memberAt(cluster, 1)];
    const other = second.run().then(() => engines[1].start());
    await Promise.all([start(member, engines[0], scene), other]);
    const containers = await startContainers(scene);
    await assertReached(scene, containers);
    await assertTransferred(bytes, containers.c, containers.a);
    await check(member);
    const { ready, objects } = await statusOf(member.host);
    assert.ok(ready);
    assert.deepEqual(
      objects.filter(({ kind }) => kind.startsWith('docker')),
      [],
    );
  });
}

interface Outcome {
  readonly bytes: number;
  readonly check: (member: Member) => Promise<void>;
}

const policyIs = (policy: string) => async (member: Member) => {
  assert.match(
    await member.host.output(['iptables', '-S', 'FORWARD']),
    new RegExp(`^-P FORWARD ${policy}$`, 'm'),
  );
};

test('we first', { timeout: 120_000 }, () =>
  inOrder(
    async (member, engine) => {
      await member.run();
      await engine.start();
    },
    // Forwarding is on already, so Docker leaves the policy.
    { check: policyIs('ACCEPT') },
  ),
);

test('both at once, Docker behind a docker-opts that waits', { timeout: 120_000 }, () =>
  inOrder(async (member, engine) => {
    const options = ['-d', OPTIONS_FILE, '-k', 'DOCKER_NETWORK_OPTIONS', '--wait', '30s'];
    const waiting = member.host.output(flannelette('docker-opts', ...options), { timeoutMs: 40_000 });
    await Promise.all([member.run(), waiting.then(() => engine.start())]);
  }),
);

test('Docker first, with the options of an earlier boot', { timeout: 180_000 }, () =>
  inOrder(
    async (member, engine) => {
      await member.command('apply');
      const options = await member.host.readFile(OPTIONS_FILE);
      await member.command('destroy');
      await member.host.script('echo 0 >/proc/sys/net/ipv4/ip_forward');
      await member.host.writeFile(OPTIONS_FILE, options);
      await engine.start();
      await policyIs('DROP')(member);
      await member.run();
    },
    { bytes: TCP_BYTES, check: policyIs('DROP') },
  ),
);

test(
  'Docker first, without options: it is told to be out of step, and is in step after the remedy',
  { timeout: 120_000 },
  () =>
    inOrder(
      async (member, engine) => {
        await engine.start();
        await policyIs('DROP')(member);
        await member.run();
        const subnet = /FLANNEL_SUBNET=(\S+)/.exec(
          await member.host.readFile('/run/flannel/subnet.env'),
        )?.[1];
        const said = `docker0 has 172.17.0.1/16, the lease says ${subnet}: restart docker with ${OPTIONS_FILE}`;

        await eventually('status says so', SEEN_MS, async () =>
          assert.equal(reasonIn(await statusOf(member.host)), said),
        );
        assert.ok((await statusOf(member.host)).ready, 'it is no fault of ours');
        const status = await member.command('status');
        assert.ok(status.stdout.includes(said), status.stdout);
        assert.equal(status.code, 0);
        const diff = await member.command('diff');
        assert.ok(diff.stdout.includes(`! docker-bridge:docker0  ${said}`), diff.stdout);
        assert.match(diff.stdout, /Plan: 0 to create, 0 to update, 0 to delete, 1 foreign left alone/);
        assert.equal(diff.code, 0);

        await engine.restart();
        await eventually('nothing is said any more', SEEN_MS, async () =>
          assert.equal(reasonIn(await statusOf(member.host)), undefined),
        );
      },
      { check: policyIs('DROP') },
    ),
);

function reasonIn({ objects }: StatusReport): string | undefined {
  return objects.find(({ key }) => key === 'docker-bridge:docker0')?.reason;
}
