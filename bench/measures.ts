/** What is done to a path, and which figures come of it. */
import type { TracedDaemon } from './daemon.js';
import type { Path } from './path.js';
import { machineBusySeconds, memoryMb, processSeconds } from './proc.js';
import { type FigureName, PATHS, type PathName } from './results.js';
import { flood, stream } from './traffic.js';

export interface Measure {
  readonly name: string;
  /** The kernel's ways have no process to look at. */
  readonly of: readonly PathName[];
  /** In the first run only, over the first underlay: it takes minutes, or nothing new would come of it. */
  readonly once?: boolean;
  take(path: Path, seconds: number): Promise<Readonly<Partial<Record<FigureName, number>>>>;
}

const MARGIN_MS = 30_000;
const MEGABIT = 1e6;
const GIGABIT = 1e9;
const PING_EVERY_SECONDS = 0.001;
const WARM_UP_SECONDS = 2;
const LIGHT_EVERY_SECONDS = 0.01;
const FLOOD_SECONDS = 10;
const TEN_MILLION = 10_000_000;
/** What `node --trace-gc` prints of any thread's collector. */
const COLLECTION = / ms: (Scavenge|Mark-Compact|Mark-sweep)/;
const DAEMONS: readonly PathName[] = ['auto', 'loop', 'single'];

/** Before anything is measured: what a process does for the first time it does slowly. */
export async function warmUp(path: Path): Promise<void> {
  await stream(path, 1, WARM_UP_SECONDS);
  await flood(path, 64, WARM_UP_SECONDS);
}

export const MEASURES: readonly Measure[] = [
  { name: 'tcp1', of: PATHS, take: takeTcp1 },
  { name: 'tcp4', of: PATHS, take: takeTcp4 },
  {
    name: 'udp64',
    of: PATHS,
    take: async (path, seconds) => ({ udp64: await flood(path, 64, seconds) }),
  },
  {
    name: 'udp512',
    of: PATHS,
    take: async (path, seconds) => ({ udp512: await flood(path, 512, seconds) }),
  },
  {
    name: 'udp1400',
    of: PATHS,
    take: async (path, seconds) => ({ udp1400: await flood(path, 1400, seconds) }),
  },
  { name: 'ping', of: PATHS, take: takePing },
  {
    name: 'idle',
    of: DAEMONS,
    take: async (path, seconds) => ({ idleCpu: await daemonCpu(path, () => sleep(path, seconds)) }),
  },
  {
    name: 'light',
    of: DAEMONS,
    take: async (path, seconds) => ({
      lightCpu: await daemonCpu(path, () => ping(path, LIGHT_EVERY_SECONDS, seconds)),
    }),
  },
  { name: 'memory', of: DAEMONS, take: takeMemory },
  { name: 'collections', of: ['loop'], once: true, take: takeCollections },
];

async function takeTcp1(path: Path, seconds: number) {
  const before = await machineBusySeconds();
  const bitsPerSecond = await stream(path, 1, seconds);
  const busySeconds = (await machineBusySeconds()) - before;
  return {
    tcp1: bitsPerSecond / MEGABIT,
    tcp1Cpu: busySeconds / ((bitsPerSecond * seconds) / GIGABIT),
  };
}

async function takeTcp4(path: Path, seconds: number) {
  return { tcp4: (await stream(path, 4, seconds)) / MEGABIT };
}

async function takePing(path: Path, seconds: number) {
  const text = await ping(path, PING_EVERY_SECONDS, seconds);
  const average = /^rtt .* = [\d.]+\/([\d.]+)\//m.exec(text)?.[1];
  if (average === undefined) throw new Error(`Cannot read what ping says:\n${text}`);
  return { ping: Number(average) };
}

function ping(path: Path, everySeconds: number, seconds: number): Promise<string> {
  const argv = ['ping', '-q', '-n', '-i', String(everySeconds), '-w', String(seconds), path.receiver.address];
  return path.sender.output(argv, { timeoutMs: seconds * 1000 + MARGIN_MS });
}

function sleep(path: Path, seconds: number): Promise<string> {
  return path.sender.output(['sleep', String(seconds)], { timeoutMs: seconds * 1000 + MARGIN_MS });
}

/** Per cent of one core that the busier of the daemons uses while `meanwhile` runs. */
async function daemonCpu({ daemons }: Path, meanwhile: () => Promise<unknown>): Promise<number> {
  const used = () => Promise.all(daemons.map(({ process }) => processSeconds(process.pid)));
  const [start, before] = [performance.now(), await used()];
  await meanwhile();
  const after = await used();
  const seconds = (performance.now() - start) / 1000;
  return Math.max(...after.map((end, daemon) => (100 * (end - (before[daemon] ?? 0))) / seconds));
}

async function takeMemory({ daemons }: Path) {
  const memory = await Promise.all(daemons.map(({ process }) => memoryMb(process.pid)));
  return { rss: Math.max(...memory.map(({ most }) => most)) };
}

/** Small datagrams, each of which the sending daemon reads by itself, until it has read enough of them. */
async function takeCollections(path: Path) {
  const [{ host, process }] = path.daemons as [TracedDaemon];
  const packets = async () => {
    const [link] = JSON.parse(await host.output(['ip', '-statistics', '-json', 'link', 'show', 'flannel0']));
    return link.stats64.tx.packets as number;
  };
  const collections = () => process.lines.filter((line) => COLLECTION.test(line)).length;
  const before = {
    packets: await packets(),
    collections: collections(),
    memory: await memoryMb(process.pid),
  };
  while ((await packets()) - before.packets < TEN_MILLION) await flood(path, 64, FLOOD_SECONDS);
  return {
    collections: collections() - before.collections,
    memoryGrowth: (await memoryMb(process.pid)).now - before.memory.now,
  };
}
