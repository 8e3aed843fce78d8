/**
 * What the demo plays on: the article's hosts, and one more.
 *
 *      etcd            host1           host2           host3
 *   10.8.64.10      10.8.65.66      10.8.65.53      10.8.65.80
 *       └───────────────┴───────┬───────┴───────────────┘
 *                       underlay 10.8.0.0/16
 */
import { join } from 'node:path';
import { DockerBridge, parseDockerOptions } from '../../test/lab/docker-bridge.js';
import { startEtcdOn } from '../../test/lab/etcd-host.js';
import type { Host } from '../../test/lab/host.js';
import type { LongProcess, ProcessResult } from '../../test/lab/process.js';
import { flannelette, repositoryRoot } from '../../test/lab/repository.js';
import type { Underlay } from '../../test/lab/underlay.js';

export const CONFIG_FILE = join(repositoryRoot(), 'examples/flannelette.yaml');
export const ETCD_URL = 'http://10.8.64.10:2379';
const READY_MS = 20_000;

export interface Member {
  readonly host: Host;
  readonly address: string;
  /** `flannelette run`. */
  readonly daemon: LongProcess;
}

export interface Scene {
  readonly underlay: Underlay;
  readonly etcd: Host;
  readonly host1: Member;
  readonly host2: Member;
  readonly host3: Member;
}

/** Everything is `underlay`'s: closing it takes the scene down, also a half-made one. */
export async function setScene(underlay: Underlay): Promise<Scene> {
  const etcd = await underlay.addHost('etcd', '10.8.64.10');
  await startEtcdOn(etcd, ETCD_URL);
  const member = async (name: string, address: string): Promise<Member> => {
    const host = await underlay.addHost(name, address);
    return { host, address, daemon: host.spawn(flannelette('run', '-f', CONFIG_FILE)) };
  };
  const host1 = await member('host1', '10.8.65.66');
  const host2 = await member('host2', '10.8.65.53');
  const host3 = await member('host3', '10.8.65.80');
  for (const { daemon } of [host1, host2, host3]) await daemon.waitForLine(/"ready"/, READY_MS);
  return { underlay, etcd, host1, host2, host3 };
}

/** Runs the program on the member's host, with the file that its daemon runs with. */
export function command(member: Member, verb: string): Promise<ProcessResult> {
  return member.host.run(flannelette(verb, '-f', CONFIG_FILE), { timeoutMs: 20_000 });
}

/** docker0 as dockerd would make it from the options file that flannelette wrote. */
export async function startDocker(member: Member): Promise<DockerBridge> {
  return DockerBridge.start(
    member.host,
    parseDockerOptions(await member.host.readFile('/run/flannel/docker')),
  );
}
