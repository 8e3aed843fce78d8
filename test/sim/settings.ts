/** What the hosts of the simulation are told: their files, and whose is what on them. */
import { readConfig } from '../../src/config/read-config.js';
import type { ConfigReading } from '../../src/runtime/inputs/config-source.js';
import type { Marks } from '../worlds/marks.js';

export const NETWORK = '10.5.0.0/16';
export const CONFIG_PATH = '/etc/flannelette.yaml';
export const SUBNET_ENV = '/run/flannel/subnet.env';
export const DOCKER_OPTIONS = '/run/flannel/docker';
const ROUTE_PROTOCOL = 77;

/** What the file of a host says, as far as the simulation changes it. */
export interface Settings {
  readonly leaseTtl: '1h' | '24h';
  readonly ipMasq: boolean;
  readonly mtu: number | 'auto';
}

export function configText({ leaseTtl, ipMasq, mtu }: Settings): string {
  return [
    `network: { cidr: ${NETWORK}, mtu: ${mtu}, ipMasq: ${ipMasq} }`,
    `store: { etcd: { endpoints: ["http://10.8.0.10:2379"], leaseTTL: ${leaseTtl} } }`,
    `instance: { routeProtocol: ${ROUTE_PROTOCOL} }`,
    '',
  ].join('\n');
}

export function readingOf(text: string | undefined): ConfigReading {
  if (text === undefined) return { error: `Cannot read ${CONFIG_PATH}: there is no such file` };
  const reading = readConfig(text, CONFIG_PATH);
  if ('config' in reading) return reading;
  return { error: reading.errors.map(({ message }) => message).join('; ') };
}

/** What the daemon remembers for itself: nobody else reads it, and it is written now and then in a world at rest, too. */
const RECORDS = [
  '/run/flannelette/flannel0.forwarding.json',
  '/run/flannelette/flannel0.confirmed',
  '/var/lib/flannelette/flannel0/files.json',
  '/var/lib/flannelette/flannel0/published.json',
  '/var/lib/flannelette/flannel0/store.json',
];

export function isRecord(path: string): boolean {
  return RECORDS.includes(path);
}

/** A host's addresses change: leases are told apart by fleet.ts. */
export const MARKS: Marks = {
  name: 'flannel0',
  routeProtocol: ROUTE_PROTOCOL,
  network: NETWORK,
  publicIp: 'none',
  files: [SUBNET_ENV, DOCKER_OPTIONS, ...RECORDS],
  daemonJson: '/etc/docker/daemon.json',
};
