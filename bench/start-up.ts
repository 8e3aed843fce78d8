/**
 * `make start-up`: how long the program takes to begin, with its files in the page cache and without, on a host in a
 * namespace with etcd beside it. Writes docs/bench/start-up.md.
 */
import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memberAt, onCluster } from '../test/lab/cluster.js';
import { median } from '../test/lab/figures.js';
import { outputOf } from '../test/lab/process.js';
import { repositoryRoot } from '../test/lab/repository.js';
import { commit, machine } from './machine.js';
import { type Program, START_UPS, type StartUp, timeStartUps } from './start-ups.js';

const WARM_RUNS = 10;
const COLD_RUNS = 5;

type Times = Readonly<Record<StartUp, number>>;

async function measure(): Promise<void> {
  // On a disk: what is on a tmpfs is always in memory. A copy of our own: files that others execute cannot be dropped.
  const directory = await mkdtemp('/var/tmp/flannelette-start-up-');
  try {
    const program = await installIn(directory);
    await onCluster({ hosts: 1 }, async (cluster) => {
      const member = memberAt(cluster, 0);
      const [warm, cold]: [Times[], Times[]] = [[], []];
      await timeStartUps(member, program);
      for (let run = 0; run < WARM_RUNS; run++) warm.push(await timeStartUps(member, program));
      for (let run = 0; run < COLD_RUNS; run++)
        cold.push(await timeStartUps(member, program, () => dropCached(directory)));
      const page = await pageOf(warm, cold);
      process.stdout.write(page);
      await writeFile(join(repositoryRoot(), 'docs/bench/start-up.md'), page);
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function installIn(directory: string): Promise<Program> {
  const node = join(directory, 'node');
  await copyFile(process.execPath, node);
  await outputOf([join(repositoryRoot(), 'scripts/install-files'), 'install', directory, '/usr'], {
    timeoutMs: 60_000,
  });
  return { node, main: join(directory, 'usr/lib/flannelette/bin/flannelette') };
}

/** Takes every file below `directory` out of the page cache. */
async function dropCached(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  // dd reads nothing with count=0, and then tells the kernel that it needs the file no more (POSIX_FADV_DONTNEED).
  const drop = 'sync -f "$1"; for file; do dd if="$file" iflag=nocache count=0 status=none; done';
  await outputOf(['sh', '-euc', drop, 'drop', ...files], { timeoutMs: 60_000 });
}

async function pageOf(warm: readonly Times[], cold: readonly Times[]): Promise<string> {
  const { processor, cores, memoryGiB, system, kernel, node } = await machine();
  const cell = (times: readonly Times[], name: StartUp) => {
    const values = times.map((one) => one[name]);
    const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.round);
    return `**${Math.round(median(values))}**, ${least} to ${most}`;
  };
  const rows = (Object.keys(START_UPS) as StartUp[]).map(
    (name) => `| ${START_UPS[name]} | ${cell(warm, name)} | ${cell(cold, name)} |`,
  );
  return `# How long a start takes

Written by \`make start-up\`. Milliseconds from the call to the end of the process, or to READY, which is when packets can
flow; the median, and the least and the most. Warm: ${WARM_RUNS} times with all files in the page cache; cold: ${COLD_RUNS} times
with those of the program and of Node taken out of it. The host is a network namespace; etcd is another one beside it, empty of
other hosts. \`test/alone/start-up.test.ts\` holds the times to multiples of Node's own.

| | warm, ms | cold, ms |
|---|--:|--:|
${rows.join('\n')}

${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, Linux ${kernel}, Node ${node}; ${new Date().toISOString().slice(0, 10)},
commit ${await commit()}.
`;
}

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
await measure();
