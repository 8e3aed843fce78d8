/**
 * A failed step of any plan: the world afterwards is the world before, whatever the step was, and whether it was done
 * unnoticed. The plans are those of test/golden/plans, and each has every one of its steps fail.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { load } from 'js-yaml';
import type { ApplyDocument } from '../../src/cli/render-apply.js';
import { CONFIG_PATH, FakeHost } from '../fakes/fake-host.js';
import { repositoryRoot } from '../lab/repository.js';
import { FAILURE_MODES, type FailureMode, failingAction } from './failing-action.js';
import { putOnFakes } from './on-fakes.js';
import { standing } from './standing.js';
import { EMPTY_WORLD, type World } from './world.js';

const FOLDER = join(repositoryRoot(), 'test/golden/plans');
const LEAST_PLANS = 30;

interface Scene {
  readonly name: string;
  readonly config: string;
  readonly world: World;
  readonly options: readonly string[];
}

const SCENES: readonly Scene[] = readdirSync(FOLDER).map((name) => {
  const read = (file: string) => readFileSync(join(FOLDER, name, file), 'utf8');
  return {
    name,
    config: read('config.yaml'),
    world: { ...EMPTY_WORLD, ...(load(read('world.yaml')) as Partial<World>) },
    options: ['--allow-renumber', ...(name.endsWith('-adopt') ? ['--adopt'] : [])],
  };
});

async function hostOf({ world, config }: Scene): Promise<FakeHost> {
  const host = new FakeHost();
  await putOnFakes(host, world);
  host.files.edit(CONFIG_PATH, config);
  return host;
}

async function applied(host: FakeHost, { options }: Scene) {
  const { exitCode, stdout, stderr } = await host.flannelette(
    ...['apply', '-f', CONFIG_PATH, '-o', 'json', ...options],
  );
  assert.ok(stdout, stderr);
  return { exitCode, stderr, document: JSON.parse(stdout) as ApplyDocument };
}

let plans = 0;

for (const scene of SCENES) {
  test(`whichever step of ${scene.name} fails, all is as it was`, async () => {
    const { document } = await applied(await hostOf(scene), scene);
    const steps = document.actions.filter(({ outcome }) => outcome === 'done');
    if (steps.length > 0) plans++;
    for (const [index, step] of steps.entries()) {
      for (const mode of FAILURE_MODES) await assertRolledBack(scene, step, mode, index + 1);
    }
  });
}

async function assertRolledBack(
  scene: Scene,
  step: ApplyDocument['actions'][number],
  mode: FailureMode,
  number: number,
): Promise<void> {
  const host = await hostOf(scene);
  host.disturbed = (reconcilers) => failingAction(reconcilers, step, mode);
  const before = await host.lines();
  const { exitCode, stderr, document } = await applied(host, scene);
  const what = `step ${number}, ${step.verb} ${step.key}, ${mode}: ${stderr}`;
  assert.deepEqual([exitCode, document.outcome, document.rollback], [3, 'failed', { problems: [] }], what);
  assert.deepEqual(standing(await host.lines()), standing(before), what);
}

test('has a fair number of plans', () => assert.ok(plans >= LEAST_PLANS, `${plans} plans`));

/** The first refusals of one and the same operation of the kernel's: so many tries one apply makes. */
const REFUSALS = 5;

test('whichever request the kernel refuses, all is as it was', async () => {
  const tried = new Set<string>();
  let failed = 0;
  for (const scene of SCENES) {
    const probe = await hostOf(scene);
    await applied(probe, scene);
    for (const operation of new Set(probe.kernel.log)) {
      // Refused in one scene, it is refused in all.
      if (tried.has(operation)) continue;
      tried.add(operation);
      const host = await hostOf(scene);
      let refused = 0;
      host.kernel.refuse = (asked) => (asked === operation && refused++ < REFUSALS ? 'EPERM' : undefined);
      const before = await host.lines();
      const { exitCode, stderr } = await applied(host, scene);
      // What was refused in one way may have been done in another.
      if (exitCode === 0) continue;
      failed++;
      assert.equal(exitCode, 3, `${scene.name}: ${operation}: ${stderr}`);
      assert.deepEqual(standing(await host.lines()), standing(before), `${scene.name}: ${operation}`);
    }
  }
  assert.ok(failed >= 40, `${failed} of ${tried.size} operations`);
});

test('a store that does not answer any more may hold what was written: then not all is as it was', async () => {
  const scene = SCENES.find(({ name }) => name === '02-first-host');
  assert.ok(scene);
  const host = await hostOf(scene);
  // It goes with the answer to its first write.
  host.store.beforeWrite = async () => host.store.goDown();
  const { exitCode, stderr } = await host.flannelette('apply', '-f', CONFIG_PATH, '--timeout', '5s');
  assert.equal(exitCode, 4, stderr);
  assert.match(stderr, /Not everything could be put back:\n {2}Cannot use fake store: connection refused/);
});

test('what cannot be put back is told, with how it was and is', async () => {
  const scene = SCENES.find(({ name }) => name === '02-first-host');
  assert.ok(scene);
  const host = await hostOf(scene);
  host.kernel.refuse = (operation) =>
    /^(set sysctl net\.ipv4\.ip_forward to "0"|add address)/.test(operation) ? 'EPERM' : undefined;
  const { exitCode, stderr, document } = await applied(host, scene);
  assert.equal(exitCode, 4);
  assert.match(
    stderr,
    /Not everything could be put back:\n {2}sysctl:net\.ipv4\.ip_forward: was \{.*"0".*\}, is \{.*"1"/,
  );
  assert.equal(document.rollback?.problems.length, 2, 'what differs, and the refusal');
});
