/** etcd on a host of the lab, where all others reach it. */
import type { EtcdOptions } from './etcd.js';
import type { Host } from './host.js';
import type { LongProcess } from './process.js';

const START_MS = 15_000;
const SERVES = /ready to serve client requests|serving (insecure|client)/;
/** Where its members would talk to each other, if there were more than one. */
export const PEER_URL = 'http://127.0.0.1:2380';

/** Resolves once it serves clients at `url`, for example http://10.8.64.10:2379: without any protection unless `flags` say so. Its data are the host's, gone with it. */
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
  await server.waitForLine(SERVES, START_MS);
  return server;
}

/** One of several on the same host. */
export interface EtcdMember {
  /** Its data are in /var/lib below that name. */
  readonly name: string;
  readonly url: string;
  readonly peerUrl: string;
  readonly metricsUrl: string;
}

/** Starts those of `indices`; resolves once they serve, which takes most of `all`. */
export async function startMembersOn(
  host: Host,
  all: readonly EtcdMember[],
  indices: readonly number[],
  { certFile, keyFile, clientCaFile = '' }: NonNullable<EtcdOptions['tls']>,
): Promise<readonly LongProcess[]> {
  const cluster = all.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  const servers = indices.map((index) => {
    const { name, url, peerUrl, metricsUrl } = all[index] as EtcdMember;
    return host.spawn([
      'etcd',
      ...['--name', name, '--data-dir', `/var/lib/${name}`],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      ...['--initial-cluster', cluster, '--listen-metrics-urls', metricsUrl],
      ...['--cert-file', certFile, '--key-file', keyFile],
      ...['--client-cert-auth', '--trusted-ca-file', clientCaFile],
    ]);
  });
  await Promise.all(servers.map((server) => server.waitForLine(SERVES, START_MS)));
  return servers;
}
