/** `network` of the YAML file. */
import { z } from 'zod';
import { backendSection } from './backend-section.js';
import { addressOf, choice, flag, integer, prefix, section } from './fields.js';

/** 68 is IPv4's least MTU (RFC 791); 65507 bytes are all that a UDP datagram carries (65535 - 20 - 8). */
const MTU = { least: 68, most: 65507 } as const;
const MTU_WANT = `must be auto or ${MTU.least} to ${MTU.most}`;

const ipv6Network = section({
  cidr: prefix('ipv6', 'network.cidr')
    .optional()
    .describe(
      "The IPv6 network that all hosts share; each host's IPv6 subnet is cut out of it. Never left out.",
    ),
  subnetLength: integer(2, 126)
    .optional()
    .describe(
      "Prefix length of each host's subnet. Default: 64, or the network's length + 2 when the network is longer than /62.",
    ),
  subnetMin: addressOf('ipv6', 'network.subnetMin')
    .optional()
    .describe('Address of the first subnet to give out. Default: the second subnet of the network.'),
  subnetMax: addressOf('ipv6', 'network.subnetMax')
    .optional()
    .describe('Address of the last subnet to give out. Default: the last subnet of the network.'),
});

export const networkSection = section({
  cidr: prefix('ipv4', 'network.ipv6.cidr')
    .optional()
    .describe(
      "The IPv4 network that all hosts share; each host's subnet is cut out of it. Left out, with ipv6 there: a network of IPv6 alone. Both left out: read from the store, and followed when it changes.",
    ),
  subnetLength: integer(2, 30)
    .optional()
    .describe(
      "Prefix length of each host's subnet. Default: 24, or the network's length + 2 when the network is longer than /22.",
    ),
  subnetMin: addressOf('ipv4', 'network.ipv6.subnetMin')
    .optional()
    .describe('Address of the first subnet to give out. Default: the second subnet of the network.'),
  subnetMax: addressOf('ipv4', 'network.ipv6.subnetMax')
    .optional()
    .describe('Address of the last subnet to give out. Default: the last subnet of the network.'),
  ipv6: ipv6Network.optional().describe('The IPv6 part of the network. Left out: there is none.'),
  mtu: z
    .union([z.literal('auto'), integer(MTU.least, MTU.most, MTU_WANT)], { error: MTU_WANT })
    .default('auto')
    .describe(
      "Bytes of the largest packet a container may send. auto: the external interface's MTU less the backend's overhead.",
    ),
  ipMasq: flag()
    .default(false)
    .describe(
      'Whether this host masquerades traffic that leaves the network. Docker is told the inverse, so that exactly one of the two does.',
    ),
  publish: choice(['create', 'always'])
    .default('create')
    .describe(
      'When this network is written to the store: create, when there is none; always, also when this file changed since it was last written.',
    ),
  backend: backendSection()
    .prefault({})
    .describe('How packets are carried. Every host of the network must agree on it.'),
});
