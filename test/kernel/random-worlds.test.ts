/**
 * Random hosts made real: Linux, nft, iptables, a disk and etcd. What diff announces is what the kernel sees done, and
 * while there is nothing to do it sees nothing at all.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { Config } from '../../src/model/config.js';
import type { Store } from '../../src/ports.js';
import { systemCommands } from '../../src/sys/commands.js';
import { createEtcdStore } from '../../src/sys/etcd-store.js';
import { diskFiles } from '../../src/sys/files.js';
import { HostFirewall } from '../../src/sys/firewall/firewall.js';
import { KernelNetlink } from '../../src/sys/netlink/netlink.js';
import { createStaticStore } from '../../src/sys/static-store.js';
import { kernelSysctls } from '../../src/sys/sysctls.js';
import { kernelTuns } from '../../src/sys/tun.js';
import { type EtcdServer, withEtcd } from '../lab/etcd.js';
import { inFreshNamespace } from '../lab/namespace.js';
import { outputOf } from '../lab/process.js';
import { busyChoices } from '../worlds/choices.js';
import { configReading, hastyClock, runFlannelette } from '../worlds/command-line.js';
import { kernelLines } from '../worlds/kernel-lines.js';
import { caused, Monitor, operations } from '../worlds/monitor.js';
import { clearKernel, putOnKernel } from '../worlds/on-kernel.js';
import { type Bench, type Course, checkWorld, type PlannedAction } from '../worlds/properties.js';
import { type RandomWorld, randomWorld } from '../worlds/random.js';
import { openSession } from '../worlds/session.js';

const WORLDS = 50;
const SEED = 20_261_122;
const NEVER = new AbortController().signal;

test('the kernel sees done what diff announced, and nothing while there is nothing to do', () =>
  inFreshNamespace(async () => {
    await outputOf(['ip', 'link', 'set', 'lo', 'up']);
    const netlink = new KernelNetlink();
    const directory = await mkdtemp(join(tmpdir(), 'flannelette-worlds-'));
    const monitor = await Monitor.start(netlink);
    try {
      await withEtcd(async (etcd) => {
        const lab = new Lab(netlink, monitor, etcd, directory);
        const worlds = fc.sample(busyChoices, { numRuns: WORLDS, seed: SEED });
        const courses: Course[] = [];
        for (const [index, chosen] of worlds.entries()) {
          const course = await lab.check(index, (site) => randomWorld(chosen, site), JSON.stringify(chosen));
          courses.push(course);
        }
        assertVariety(courses);
      });
    } finally {
      await monitor.stop();
      netlink.close();
      await rm(directory, { recursive: true, force: true });
    }
  }));

/** Dull worlds would prove nothing. */
function assertVariety(courses: readonly Course[]): void {
  const count = (sort: Course['verdict']) => courses.filter(({ verdict }) => verdict === sort).length;
  const counts = [count('converged'), count('conflict')] as const;
  assert.ok(counts[0] >= WORLDS / 4 && counts[1] >= WORLDS / 5, `converged and in conflict: ${counts}`);
  const announced = courses.flatMap((course) => course.announced);
  const ofKernel = announced.filter(({ kind }) => kind === 'link' || kind === 'address' || kind === 'route');
  assert.ok(ofKernel.length >= WORLDS, `only ${ofKernel.length} operations on links, addresses and routes`);
}

class Lab {
  readonly #netlink: KernelNetlink;
  readonly #monitor: Monitor;
  readonly #etcd: EtcdServer;
  readonly #directory: string;
  readonly #firewall = new HostFirewall();
  /** The latest announcement of each link. */
  readonly #links = new Map<string, string>();

  constructor(netlink: KernelNetlink, monitor: Monitor, etcd: EtcdServer, directory: string) {
    this.#netlink = netlink;
    this.#monitor = monitor;
    this.#etcd = etcd;
    this.#directory = directory;
  }

  /** Puts the world there, checks it, takes it away. */
  async check(
    index: number,
    worldAt: (site: Parameters<typeof randomWorld>[1]) => RandomWorld,
    description: string,
  ): Promise<Course> {
    const site = {
      root: join(this.#directory, String(index)),
      endpoint: this.#etcd.endpoint,
      prefix: `/worlds/${index}`,
    };
    const world = worldAt(site);
    const store = createEtcdStore({
      type: 'etcd',
      endpoints: [site.endpoint],
      prefix: site.prefix,
      leaseTtlSeconds: 86_400,
    });
    try {
      await putOnKernel({ firewall: this.#firewall, sysctls: kernelSysctls, store }, world.world);
      caused((await this.#monitor.sinceLast()).ip, this.#links);
      const bench = this.#bench(world.config, store, site.root);
      // By turns as apply plans it itself, and as diff has saved it.
      const how = index % 2 === 0 ? bench : { ...bench, savedPlan: '/plan.json' };
      return await checkWorld(how, world.marks);
    } catch (cause) {
      throw new Error(`World ${index}: ${cause instanceof Error ? cause.message : cause}\n${description}`, {
        cause,
      });
    } finally {
      store.close();
      const links = (await this.#netlink.links()).map(({ name }) => name);
      await clearKernel(links, site.root);
    }
  }

  #bench(config: string, store: Store, directory: string): Bench {
    const { netlink, clock } = { netlink: this.#netlink, clock: hastyClock() };
    const ports = {
      netlink,
      tuns: kernelTuns,
      sysctls: kernelSysctls,
      firewall: this.#firewall,
      files: diskFiles(),
      commands: systemCommands,
      clock,
    };
    const storeOf = ({ store: section }: Config) =>
      section.type === 'etcd' ? store : createStaticStore(section);
    const host = {
      clock,
      desk: new Map<string, string>(),
      files: ports.files,
      readText: async () => config,
      readConfig: async (path: string) => configReading(config, path),
      openSession: (parsed: Config) => openSession(parsed, ports, storeOf(parsed)),
    };
    return {
      flannelette: (...argv) => runFlannelette(host, argv),
      lines: () => kernelLines({ netlink, sysctls: kernelSysctls, store, directory }),
      writesDuring: (body) => this.#writesDuring(body, store, directory),
      watchApply: (announced, body) => this.#watchApply(announced, body),
    };
  }

  async #writesDuring(
    body: () => Promise<void>,
    store: Store,
    directory: string,
  ): Promise<readonly string[]> {
    const before = await durableState(store, directory);
    await body();
    const { ip, nft } = await this.#monitor.sinceLast();
    const after = await durableState(store, directory);
    return [...caused(ip, this.#links), ...nft, ...after.filter((line) => !before.includes(line))];
  }

  /** Each operation on links, addresses and routes was announced, and each that was announced is seen. */
  async #watchApply(announced: readonly PlannedAction[], body: () => Promise<void>): Promise<void> {
    await body();
    const seen = operations(caused((await this.#monitor.sinceLast()).ip, this.#links));
    const wanted = announced.flatMap(({ kind, verb, key }) => {
      if (kind === 'link') return [key];
      const isSeen = kind === 'address' || kind === 'route';
      return isSeen ? [`${verb === 'delete' ? 'delete' : 'write'} ${key}`] : [];
    });
    // A link is announced at each step of its making.
    assert.deepEqual([...new Set(seen)].sort(), [...wanted].sort(), 'the kernel saw something else done');
  }
}

/** Whatever a write would change: the store's revision, and each file's time and number. */
async function durableState(store: Store, directory: string): Promise<readonly string[]> {
  const { revision } = await store.snapshot(NEVER);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.map(async (entry) => {
    const path = join(entry.path, entry.name);
    const { ino, mtimeMs, ctimeMs } = await stat(path);
    return `file ${path}: inode ${ino}, written ${mtimeMs}, changed ${ctimeMs}`;
  });
  return [`store at revision ${revision}`, ...(await Promise.all(files))];
}
