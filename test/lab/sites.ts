/**
 * Hosts that are one container network: on each the daemon runs, with docker0 and one container behind it.
 *
 *    container .3           container .3
 *        │                      │
 *     docker0                docker0
 *      host1 ─ flannel0 ═ UDP ═ flannel0 ─ host2 ...
 */
import { type Cluster, type ClusterOptions, type Member, onCluster } from './cluster.js';
import type { Container, DockerBridge } from './docker-bridge.js';
import { eventually } from './eventually.js';
import type { LongProcess, RunOptions } from './process.js';

export interface Site {
  readonly member: Member;
  readonly daemon: LongProcess;
  readonly bridge: DockerBridge;
  readonly container: Container;
}

const REACHED_MS = 30_000;

/** Resolves with what `body` did; begins when every container has reached every other one. */
export function onSites<T>(
  options: ClusterOptions & { readonly daemon?: RunOptions },
  body: (sites: readonly Site[], cluster: Cluster) => Promise<T>,
): Promise<T> {
  return onCluster(options, async (cluster) => {
    const sites = await Promise.all(cluster.members.map((member) => startSite(member, options.daemon)));
    await reachEachOther(sites.map(({ container }) => container));
    return body(sites, cluster);
  });
}

/** The daemon, once it is ready, and the container behind it. */
export async function startSite(member: Member, daemonOptions?: RunOptions): Promise<Site> {
  const daemon = await member.run(daemonOptions);
  return { member, daemon, ...(await withContainer(member)) };
}

/** docker0 as the host's files say, and the container .3 on it. */
export async function withContainer(member: Member): Promise<Pick<Site, 'bridge' | 'container'>> {
  const bridge = await member.docker();
  return { bridge, container: await bridge.addContainer('c', 3) };
}

/** Rejects when one cannot ping another after a while. */
export async function reachEachOther(containers: readonly Container[]): Promise<void> {
  for (const from of containers) {
    for (const to of containers) if (from !== to) await reaches(from, to.address);
  }
}

export async function reaches(from: Container, address: string): Promise<void> {
  await eventually(`${from.address} reaches ${address}`, REACHED_MS, () =>
    from.output(['ping', '-n', '-c', '1', '-W', '1', address]),
  );
}

/** The one at `index`; rejects a scene that is too small. */
export function siteAt(sites: readonly Site[], index: number): Site {
  const site = sites[index];
  if (site === undefined) throw new Error(`Cannot take site ${index + 1} of ${sites.length}`);
  return site;
}
