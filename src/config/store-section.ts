/** `store` of the YAML file. */
import {
  absolutePath,
  durationSeconds,
  endpoint,
  hostAddress,
  hostAddressWant,
  keyPrefix,
  list,
  parsed,
  prefix,
  prefixWant,
  section,
} from './fields.js';

export const tlsSection = section({
  caFile: absolutePath().optional().describe("Certificates that may sign etcd's own. Default: the system's."),
  certFile: absolutePath().optional().describe('This host as a client: its certificate.'),
  keyFile: absolutePath().optional().describe('This host as a client: its key.'),
});

export const etcdSection = section({
  endpoints: list(endpoint())
    .min(1, { error: 'must hold at least one URL such as http://10.8.64.10:2379' })
    .prefault(['http://127.0.0.1:2379'])
    .describe('etcd, as http:// or https:// URLs.'),
  prefix: keyPrefix()
    .prefault('/coreos.com/network')
    .describe('Where the network lives in etcd: its config and its subnets are beneath.'),
  username: parsed('must be a user name', (text) =>
    text === '' ? { refused: 'must be a user name' } : { value: text },
  )
    .optional()
    .describe('User of etcd.'),
  passwordFile: absolutePath()
    .optional()
    .describe("A file that holds the user's password; read anew when etcd refuses it."),
  tls: tlsSection
    .optional()
    .describe('For https:// endpoints. All files are PEM, and read anew after a failure.'),
  leaseTTL: durationSeconds('5s', '30d')
    .prefault('24h')
    .describe("How long this host's subnet stays its own after the last sign of life. flannel's is 24h."),
});

const staticPeer = section({
  subnet: prefix('ipv4', 'subnetIPv6').optional().describe("That host's subnet."),
  publicIP: hostAddress('ipv4', 'publicIPv6').optional().describe("That host's address."),
  subnetIPv6: prefix('ipv6', 'subnet').optional().describe("That host's IPv6 subnet."),
  publicIPv6: hostAddress('ipv6', 'publicIP').optional().describe("That host's IPv6 address."),
}).superRefine(({ subnet, publicIP, subnetIPv6, publicIPv6 }, context) => {
  const claim = (key: string, value: unknown, message: string) => {
    if (value === undefined) context.addIssue({ code: 'custom', path: [key], message });
  };
  const hasIpv6 = subnetIPv6 !== undefined || publicIPv6 !== undefined;
  if (hasIpv6) {
    claim('subnetIPv6', subnetIPv6, prefixWant('ipv6'));
    claim('publicIPv6', publicIPv6, hostAddressWant('ipv6'));
  }
  if (hasIpv6 && subnet === undefined && publicIP === undefined) return;
  claim('subnet', subnet, prefixWant('ipv4'));
  claim('publicIP', publicIP, hostAddressWant('ipv4'));
});

const staticStore = section({
  peers: list(staticPeer.describe('One host of the network.'))
    .default([])
    .describe('The other hosts. This host may stand among them, so that all share one list.'),
});

export const storeSection = section({
  etcd: etcdSection
    .optional()
    .describe("Hosts find each other in etcd, under the same keys as flannel's. The default."),
  static: staticStore
    .optional()
    .describe(
      'No server: the hosts are written here. Needs network.cidr and host.subnet, or their counterparts in IPv6.',
    ),
});
