/**
 * A failed step of any plan on a real kernel with a real etcd: afterwards links, addresses, routes, settings, rules, files and
 * the store are what they were. Each world is used for all its steps: what one leaves is what the next begins with.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { ApplyDocument } from '../../src/cli/render-apply.js';
import type { Config } from '../../src/model/config.js';
import type { PlanDocument } from '../../src/model/plan-document.js';
import type { Reconcilers } from '../../src/runtime/rounds/reconcilers.js';
import { systemCommands } from '../../src/sys/commands.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { diskFiles } from '../../src/sys/files.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { createStaticStore } from '../../src/sys/static-store.js';
import { kernelSysctls } from '../../src/sys/sysctls.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { withEtcd } from '../lab/etcd.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';
import { busyChoices } from '../worlds/choices.js';
import { configReading, hastyClock, runFlannelette } from '../worlds/command-line.js';
import { FAILURE_MODES, failingAction } from '../worlds/failing-action.js';
import { kernelLines } from '../worlds/kernel-lines.js';
import { clearKernel, putOnKernel } from '../worlds/on-kernel.js';
import { type RandomWorld, randomWorld } from '../worlds/random.js';
import { openSession } from '../worlds/session.js';
import { standing } from '../worlds/standing.js';

const PLANS = 10;
/** With fewer there is little to put back, with more a plan takes long. */
const STEPS = { least: 2, most: 6 };
const TRIED = 60;
const SEED = 20_261_127;

test('whichever step of a plan fails, the host and the store are as they were', { timeout: 240_000 }, () =>
  inFreshNamespace(async () => {
    await outputOf(['ip', 'link', 'set', 'lo', 'up']);
    const netlink = new KernelNetlink();
    const directory = await mkdtemp(join(tmpdir(), 'flannelette-transactions-'));
    try {
      await withEtcd(async ({ endpoint }) => {
        let [plans, steps] = [0, 0];
        for (const [index, chosen] of fc.sample(busyChoices, { numRuns: TRIED, seed: SEED }).entries()) {
          if (plans === PLANS) break;
          const site = { root: join(directory, `${index}`), endpoint, prefix: `/worlds/${index}` };
          const tried = await tryAllSteps(netlink, randomWorld(chosen, site), site);
          if (tried > 0) plans++;
          steps += tried;
        }
        assert.equal(plans, PLANS);
        assert.ok(steps >= PLANS * STEPS.least, `${steps} steps`);
      });
    } finally {
      netlink.close();
      await rm(directory, { recursive: true, force: true });
    }
  }),
);

/** A device that bears our mark and is of a kind that we do not make is none that could be made again: exit code 4 says so. */
function isOneWay({ kind, before }: PlanDocument['actions'][number]): boolean {
  const found = before as { readonly kind?: string } | undefined;
  return kind === 'link' && found?.kind !== undefined && !['tun', 'vxlan'].includes(found.kind);
}

/** How many steps the plan has; none where it is in conflict, too short or too long, or cannot be taken back. */
async function tryAllSteps(
  netlink: KernelNetlink,
  { config, world }: RandomWorld,
  site: Parameters<typeof randomWorld>[1],
): Promise<number> {
  const section = { type: 'etcd', endpoints: [site.endpoint], prefix: site.prefix } as const;
  const store = createEtcdStore({ ...section, leaseTtlSeconds: 86_400 });
  const firewall = new HostFirewall();
  const [sysctls, clock] = [kernelSysctls, hastyClock()];
  const host = { firewall, files: diskFiles(), commands: systemCommands, clock };
  const ports = { netlink, tuns: kernelTuns, sysctls, ...host };
  const storeOf = (parsed: Config) =>
    parsed.store.type === 'etcd' ? store : createStaticStore(parsed.store);
  let disturbed = (reconcilers: Reconcilers) => reconcilers;
  const flannelette = (...argv: readonly string[]) =>
    runFlannelette(
      {
        clock,
        desk: new Map<string, string>(),
        files: host.files,
        readText: async () => config,
        readConfig: async (path) => configReading(config, path),
        openSession(parsed) {
          const session = openSession(parsed, ports, storeOf(parsed));
          return { ...session, reconcilers: disturbed(session.reconcilers) };
        },
      },
      argv,
    );
  try {
    await putOnKernel({ firewall, sysctls, store }, world);
    const { stdout, exitCode } = await flannelette('diff', '-o', 'json');
    if (exitCode !== 1) return 0;
    const { actions } = JSON.parse(stdout) as PlanDocument;
    if (actions.length < STEPS.least || actions.length > STEPS.most || actions.some(isOneWay)) return 0;
    const lines = () => kernelLines({ netlink, sysctls, store, directory: site.root });
    const before = standing(await lines());
    for (const [index, action] of actions.entries()) {
      // By turns as it is refused, and as it is done and nobody is told.
      const mode = FAILURE_MODES[index % FAILURE_MODES.length] ?? 'refused';
      disturbed = (reconcilers) => failingAction(reconcilers, action, mode);
      const what = `${action.verb} ${action.key}, ${mode}\n${JSON.stringify(world)}`;
      const failed = await flannelette('apply', '-o', 'json', '--allow-renumber');
      const { rollback } = JSON.parse(failed.stdout || '{}') as Partial<ApplyDocument>;
      assert.deepEqual([failed.exitCode, rollback], [3, { problems: [] }], `${what}\n${failed.stderr}`);
      assert.deepEqual(standing(await lines()), before, what);
    }
    return actions.length;
  } finally {
    store.close();
    const links = (await netlink.links()).map(({ name }) => name);
    await clearKernel(links, site.root);
  }
}
