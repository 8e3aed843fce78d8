/** Which addresses can be a host's public one: packets to the others would loop, vanish or go to everybody. */
import { type Address, contains, familyOf, type Prefix } from './address.js';
import type { NetworkConfig } from './network.js';

const UNUSABLE: readonly (readonly [prefix: Prefix, what: string])[] = [
  ['0.0.0.0/8' as Prefix, 'no host has it'],
  ['127.0.0.0/8' as Prefix, 'a loopback address'],
  ['224.0.0.0/4' as Prefix, 'a multicast address'],
  ['255.255.255.255/32' as Prefix, 'the broadcast address'],
  ['::/127' as Prefix, 'the unspecified or the loopback address'],
  ['ff00::/8' as Prefix, 'a multicast address'],
  ['fe80::/10' as Prefix, 'a link-local address'],
];

/** Undefined when hosts of `network` can send to `address`; else why not. Without a network only the address is judged. */
export function publicIpMisfit(address: Address, network: NetworkConfig | undefined): string | undefined {
  for (const [prefix, what] of UNUSABLE) if (contains(prefix, address)) return what;
  const cidr = network?.[familyOf(address)]?.cidr;
  if (cidr === undefined || !contains(cidr, address)) return undefined;
  return `inside the network ${cidr} itself`;
}
