/** A random world on a host of fakes, checked. */
import { CONFIG_PATH, FakeHost } from '../fakes/fake-host.js';
import type { Choices } from './choices.js';
import { putOnFakes } from './on-fakes.js';
import { type Bench, type Course, checkWorld } from './properties.js';
import { randomWorld } from './random.js';
import type { World } from './world.js';

const SITE = { root: '', endpoint: 'http://10.8.64.10:2379', prefix: '/coreos.com/network' };
const PLAN_PATH = '/root/plan.json';

/** `isSaved`: apply carries out what diff has saved, instead of a plan of its own. */
export async function checkOnFakes(chosen: Choices, isSaved: boolean): Promise<Course> {
  const { config, world, marks, ideal } = randomWorld(chosen, SITE);
  const host = await hostWith(world);
  host.files.edit(CONFIG_PATH, config);
  const lines = ideal && (await (await hostWith(ideal)).lines());
  return checkWorld({ ...benchOf(host), ...(isSaved && { savedPlan: PLAN_PATH }) }, marks, lines);
}

function benchOf(host: FakeHost): Bench {
  return {
    flannelette: (...argv) =>
      host.flannelette(...argv, ...(argv.includes('--plan') ? [] : ['-f', CONFIG_PATH])),
    lines: () => host.lines(),
    async writesDuring(body) {
      const before = host.writes;
      await body();
      return host.writes === before ? [] : [`${host.writes - before} writes`];
    },
    watchApply: (_announced, body) => body(),
  };
}

async function hostWith(world: World): Promise<FakeHost> {
  const host = new FakeHost();
  await putOnFakes(host, world);
  return host;
}
