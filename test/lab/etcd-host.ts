/** etcd on a host of the lab, where all others reach it. Without any protection: the underlay is the test's own. */
import type { Host } from './host.js';
import type { LongProcess } from './process.js';

const START_MS = 15_000;
const PEER_URL = 'http://127.0.0.1:2380';

/** Resolves once it serves clients at `url`, for example http://10.8.64.10:2379. Its data are the host's, gone with it. */
export async function startEtcdOn(
  host: Host,
  url: string,
  ...flags: readonly string[]
): Promise<LongProcess> {
  const server = host.spawn([
    'etcd',
    ...['--data-dir', '/var/lib/etcd'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', PEER_URL, '--initial-advertise-peer-urls', PEER_URL],
    ...['--initial-cluster', `default=${PEER_URL}`],
    ...flags,
  ]);
  await server.waitForLine(/ready to serve client requests/, START_MS);
  return server;
}
