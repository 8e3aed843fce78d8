/** The packet loop in C that ours is held against, compiled where it is needed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../test/lab/host.js';
import { outputOf } from '../test/lab/process.js';
import { repositoryRoot } from '../test/lab/repository.js';
import type { Site } from './site.js';

const DEVICE = 'flannel0';
const PORT = 8285;
const MTU = 1472;
const STARTED_MS = 10_000;

/** Runs on `host` until that is gone. */
export async function startOneByOne(host: Host, own: Site, other: Site): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flannelette-bench-'));
  try {
    const program = join(directory, 'one-by-one');
    await outputOf(['gcc', '-O2', '-o', program, join(repositoryRoot(), 'bench/one-by-one.c')]);
    const running = host.spawn([program, DEVICE, own.publicIp, other.publicIp, String(PORT)]);
    await running.waitForLine(/^ready$/, STARTED_MS);
  } finally {
    await rm(directory, { recursive: true });
  }
  await host.script(`
ip address add ${own.subnet}.0/32 dev ${DEVICE}
ip link set ${DEVICE} mtu ${MTU} up
ip route add ${other.subnet}.0/24 dev ${DEVICE}`);
}
