/** Whether a lease can be a peer in a network. */
import { contains, FAMILIES } from './address.js';
import type { Lease } from './lease.js';
import type { NetworkConfig } from './network.js';
import { publicIpMisfit } from './public-ip.js';

/** Undefined when the lease can be a peer in `network`; else why not. */
export function leaseMisfit(
  { subnets, attributes: { publicIps } }: Lease,
  network: NetworkConfig | undefined,
): string | undefined {
  for (const family of FAMILIES) {
    const subnet = subnets[family];
    if (subnet === undefined) continue;
    const cidr = network?.[family]?.cidr;
    if (cidr !== undefined && !contains(cidr, subnet)) return `${subnet} is outside the network ${cidr}`;
    const publicIp = publicIps[family];
    if (publicIp === undefined) return `has no public ${family} address`;
    const reason = publicIpMisfit(publicIp, network);
    if (reason !== undefined) return `the public address ${publicIp} cannot be used: ${reason}`;
  }
  return undefined;
}
