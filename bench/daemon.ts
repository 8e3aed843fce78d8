/** `flannelette run` as anybody would run it, and what its collector says of it. */
import type { FastPathWish } from '../src/model/config.js';
import type { Host } from '../test/lab/host.js';
import type { LongProcess } from '../test/lab/process.js';
import { flannelette } from '../test/lab/repository.js';
import type { Site } from './site.js';

const CONFIG = '/run/flannelette.yaml';
const READY_MS = 30_000;

export interface TracedDaemon {
  readonly host: Host;
  readonly process: LongProcess;
}

export async function startDaemon(
  host: Host,
  own: Site,
  all: readonly Site[],
  {
    offload,
    fastPath,
    workers,
  }: { readonly offload: boolean; readonly fastPath: FastPathWish; readonly workers: number },
): Promise<TracedDaemon> {
  const peers = all.map(({ subnet, publicIp }) => `    - { subnet: ${subnet}.0/24, publicIP: ${publicIp} }`);
  await host.writeFile(
    CONFIG,
    `network: { cidr: 10.1.0.0/16 }
host: { publicIP: ${own.publicIp}, subnet: ${own.subnet}.0/24 }
dataplane: { offload: ${offload}, fastPath: ${fastPath}, workers: ${workers} }
store:
  static:
    peers:
${peers.map((line) => `  ${line}`).join('\n')}
`,
  );
  const [node = '', ...program] = flannelette('run', '-f', CONFIG);
  const process = host.spawn([node, '--trace-gc', ...program]);
  await process.waitForLine(/"msg":"ready"/, READY_MS);
  return { host, process };
}
