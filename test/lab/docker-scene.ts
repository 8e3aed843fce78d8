/**
 * Two hosts with real Docker on one underlay, and what must be true of their containers, however they were started.
 *
 *     A   B                   C
 *      └─┬┘                   │
 *     docker0              docker0            outside
 *      host1 ═ flannel0, UDP ═ host2         10.8.64.10
 *        └───────────────────────┴──────────────┘ underlay
 */
import assert from 'node:assert/strict';
import { ARTICLE_CONFIG, type Cluster, memberAt, onCluster } from './cluster.js';
import { type DockerEngine, type EngineContainer, onEngines } from './docker-engine.js';
import { eventually } from './eventually.js';

const OUTSIDE = '10.8.64.10';
const REACHED_MS = 10_000;

export interface DockerScene {
  readonly cluster: Cluster;
  readonly engines: readonly [DockerEngine, DockerEngine];
}

export interface Containers {
  readonly a: EngineContainer;
  readonly b: EngineContainer;
  readonly c: EngineContainer;
}

/** Neither the daemons nor Docker run yet. */
export function onDockerHosts<T>(
  { ipMasq = false, docker = '' }: { readonly ipMasq?: boolean; readonly docker?: string },
  body: (scene: DockerScene) => Promise<T>,
): Promise<T> {
  const config = `${ARTICLE_CONFIG.replace('store:', `  ipMasq: ${ipMasq}\nstore:`)}${docker}`;
  return onCluster({ hosts: 2, config }, (cluster) =>
    onEngines(
      cluster.members.map(({ host }) => host),
      ([one, two]) => {
        assert.ok(one && two);
        return body({ cluster, engines: [one, two] });
      },
    ),
  );
}

/** A and B on the first host, C on the second; with a route to the first host's containers outside. */
export async function startContainers({ cluster, engines: [one, two] }: DockerScene): Promise<Containers> {
  const first = async () => [await one.addContainer('ca'), await one.addContainer('cb')] as const;
  const [[a, b], c] = await Promise.all([first(), two.addContainer('cc')]);
  const subnet = a.address.replace(/\.\d+$/, '.0/24');
  await cluster.etcd.script(`ip route replace ${subnet} via ${memberAt(cluster, 0).address}`);
  return { a, b, c };
}

/** A–B over the bridge, A–C both ways over the overlay, and A to the world outside and back. */
export async function assertReached({ cluster }: DockerScene, { a, b, c }: Containers): Promise<void> {
  for (const [from, to] of [
    [a, b],
    [a, c],
    [c, a],
  ] as const) {
    await eventually(`${from.name} reaches ${to.name}`, REACHED_MS, () =>
      from.exec('ping', '-c', '1', '-W', '1', to.address),
    );
  }
  const host = memberAt(cluster, 0).address;
  assert.equal(await sourceSeenOutside(cluster, a), host, 'what a container sends outside is masqueraded');
  await eventually('outside reaches ca', REACHED_MS, () =>
    cluster.etcd.output(['ping', '-n', '-c', '1', '-W', '1', a.address]),
  );
}

/** Where an echo request of the container seems to come from when it is there. */
async function sourceSeenOutside({ etcd }: Cluster, from: EngineContainer): Promise<string | undefined> {
  const capture = etcd.spawn([
    'tcpdump',
    '-n',
    '-l',
    '--immediate-mode',
    '-i',
    'eth0',
    'icmp[icmptype] == icmp-echo',
  ]);
  await capture.waitForLine(/listening on eth0/, REACHED_MS);
  await eventually(`${from.name} reaches outside`, REACHED_MS, () =>
    from.exec('ping', '-c', '1', '-W', '1', OUTSIDE),
  );
  const line = await capture.waitForLine(/ICMP echo request/, REACHED_MS);
  await capture.stop();
  return /IP (\S+) > /.exec(line)?.[1];
}

/** Fetches that much over TCP by the programs in the containers, and compares the checksums. */
export async function assertTransferred(
  bytes: number,
  from: EngineContainer,
  to: EngineContainer,
): Promise<void> {
  await from.exec(
    'sh',
    '-euc',
    `mkdir /www; head -c ${bytes} /dev/urandom >/www/blob; httpd -p 5000 -h /www`,
  );
  const sent = await from.exec('sh', '-c', 'sha256sum </www/blob');
  const received = await to.exec(
    'sh',
    '-euc',
    `set -o pipefail; wget -q -O - http://${from.address}:5000/blob | sha256sum`,
  );
  assert.equal(received, sent);
}
