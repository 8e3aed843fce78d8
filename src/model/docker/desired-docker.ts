/** What Docker must have been started with for its containers to be in the network. We write it down; starting Docker is not ours. */
import { type Address, addressAt, lengthOf, type Prefix } from '../address.js';
import type { Config } from '../config.js';
import type { Subnets } from '../lease.js';

export interface DesiredDocker {
  readonly bridge: string;
  /** The bridge's own address, the first of the subnet. */
  readonly address: Address;
  readonly subnet: Prefix;
  /** Bytes. */
  readonly mtu: number;
  /** The inverse of what this host does: exactly one of the two masquerades. */
  readonly masquerade: boolean;
  /** The file that Docker is told by. */
  readonly source: string;
  /** Where packets of the other hosts come in. */
  readonly devices: readonly string[];
}

/** Undefined when Docker is none of our business (`docker.mode: off`), or in a network without IPv4: Docker has no option for its own of IPv6. */
export function desiredDocker(
  { docker, network, files }: Config,
  { ipv4: subnet }: Subnets,
  { mtu, entrances: devices }: { readonly mtu: number; readonly entrances: readonly string[] },
): DesiredDocker | undefined {
  if (docker.mode === 'off' || subnet === undefined) return undefined;
  return {
    bridge: docker.bridge,
    address: addressAt(subnet, 1),
    subnet,
    mtu,
    masquerade: !network.ipMasq,
    source: docker.mode === 'daemon-json' ? docker.daemonJson : files.dockerOptions,
    devices,
  };
}

/** The keys of daemon.json that are ours to set; each is dockerd's flag of the same name. */
export const DOCKER_SETTINGS = ['bip', 'ip-masq', 'mtu'] as const;

export type DockerSetting = (typeof DOCKER_SETTINGS)[number];

/** In the order in which they are written. */
export function dockerSettings({
  address,
  subnet,
  masquerade,
  mtu,
}: DesiredDocker): Readonly<Record<DockerSetting, unknown>> {
  return { bip: `${address}/${lengthOf(subnet)}`, 'ip-masq': masquerade, mtu };
}
