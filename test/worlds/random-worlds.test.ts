/** A thousand random hosts: on each, apply does exactly what diff announced, and no foreign object is touched. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { KINDS } from '../../src/model/objects.js';
import { type Choices, choices, UNDISTURBED } from './choices.js';
import { checkOnFakes } from './fake-bench.js';
import type { Course } from './properties.js';

/** What chance has found once: a route of ours into the network of a file that the store refuses. */
const FOUND_ONCE: Choices = {
  file: {
    network: 'moved',
    publish: 'create',
    mtu: 'auto',
    ipMasq: 'false',
    port: '8285',
    subnet: 'any',
    publicIp: 'own',
    workers: '1',
    instance: 'flannel0',
    routeProtocol: '77',
    store: 'etcd',
    docker: 'options-file',
  },
  store: { network: 'other port', own: 'leased', beside: [] },
  found: { ...UNDISTURBED, otherRoutes: ['into a subnet'] },
};
const WORLDS = 1_000;
const SEED = 20_261_122;

test('apply does what diff announced, once, and touches nothing foreign; destroy leaves nothing of ours', async () => {
  const courses: Course[] = [];
  await fc.assert(
    fc.asyncProperty(choices, async (chosen) => {
      // By turns as apply plans it itself, and as diff has saved it. `make worlds` does both to each.
      courses.push(await checkOnFakes(chosen, courses.length % 2 === 1));
    }),
    { numRuns: WORLDS, seed: SEED, examples: [[FOUND_ONCE]], includeErrorInReport: true },
  );
  assertVariety(courses);
});

/** A generator of dull worlds would prove nothing: each sort must come often, and every action at all. */
function assertVariety(courses: readonly Course[]): void {
  const least = { undecided: 0.04, 'in sync': 0.02, converged: 0.4, conflict: 0.25 };
  for (const [verdict, share] of Object.entries(least)) {
    const found = courses.filter((course) => course.verdict === verdict).length / courses.length;
    assert.ok(found >= share, `only ${found} of the worlds are ${verdict}`);
  }
  const all = courses.flatMap(({ announced }) => announced);
  assert.ok(all.filter(({ kind, interrupts }) => kind === 'link' && interrupts).length >= 50);
  const seen = new Set(all.map(({ kind, verb }) => `${verb} ${kind}`));
  const possible = KINDS.flatMap((kind) => ['create', 'update', 'delete'].map((verb) => `${verb} ${kind}`));
  assert.deepEqual(
    possible.filter((what) => !seen.has(what)),
    IMPOSSIBLE,
  );
}

const IMPOSSIBLE: readonly string[] = [
  'delete network-config', // It belongs to all hosts.
  // The worlds are udp's, which has none of the operator's commands.
  ...['create', 'update', 'delete'].map((verb) => `${verb} command`),
  'create sysctl', // Every kernel has them,
  'delete sysctl', // and nobody owns them.
  'update address', // What it is, is its key.
  // A command runs no packet loop.
  ...['create', 'update', 'delete'].map((verb) => `${verb} forwarder`),
  ...['create', 'update', 'delete'].map((verb) => `${verb} peer`),
  // Its packets need neither of these.
  ...['create', 'update', 'delete'].map((verb) => `${verb} fdb`),
  ...['create', 'update', 'delete'].map((verb) => `${verb} neighbour`),
  'delete forward', // It is wanted on every host.
  // flannel makes those itself, and each world would only have them or not.
  ...['create', 'update', 'delete'].map((verb) => `${verb} flannel-rules`),
  // Docker makes its bridge itself.
  ...['create', 'update', 'delete'].map((verb) => `${verb} docker-bridge`),
];
