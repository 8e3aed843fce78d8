/** Which addresses can be a host's public one: packets to the others would loop, vanish or go to everybody. */
import { type Address, bitsOf, contains, familyOf, type Prefix, rangeOf } from './address.js';
import type { NetworkConfig } from './network.js';

const UNUSABLE = [
  unusable('0.0.0.0/8', 'no host has it'),
  unusable('127.0.0.0/8', 'a loopback address'),
  unusable('224.0.0.0/4', 'a multicast address'),
  unusable('255.255.255.255/32', 'the broadcast address'),
  unusable('::/127', 'the unspecified or the loopback address'),
  unusable('ff00::/8', 'a multicast address'),
  unusable('fe80::/10', 'a link-local address'),
];

function unusable(text: string, what: string) {
  const prefix = text as Prefix;
  return { family: familyOf(prefix), ...rangeOf(prefix), what };
}

/** Undefined when hosts of `network` can send to `address`; else why not. Without a network only the address is judged. */
export function publicIpMisfit(address: Address, network: NetworkConfig | undefined): string | undefined {
  const [family, bits] = [familyOf(address), bitsOf(address)];
  const found = UNUSABLE.find(
    (range) => range.family === family && range.first <= bits && bits <= range.last,
  );
  if (found !== undefined) return found.what;
  const cidr = network?.[family]?.cidr;
  return cidr !== undefined && contains(cidr, address) ? `inside the network ${cidr} itself` : undefined;
}
