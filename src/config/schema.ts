/** The YAML file's shape: every key, its default and what it means. The reference page is made from it. */
import { z } from 'zod';
import { DEFAULT_INSTANCE, type InterfaceSelector } from '../model/config.js';
import { backendSection } from './backend-section.js';
import { VARIABLE_NAME } from './expansion.js';
import {
  absolutePath,
  address,
  addressOf,
  argument,
  choice,
  durationSeconds,
  endpoint,
  flag,
  hostAddress,
  hostAddressWant,
  integer,
  inWords,
  isInterfaceName,
  keyPrefix,
  list,
  parsed,
  prefix,
  prefixWant,
  section,
} from './fields.js';

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

const network = section({
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

const namedInterface = (text: string) =>
  isInterfaceName(text) ? { value: text } : { refused: 'must be an interface name of 1 to 15 characters' };

/** Whatever looks like an address must be one: `10.8.65.999` would pass for an interface name. */
const INTERFACE_WANT = 'must be auto, an interface name such as eth0 or an address of this host';
const interfaceText = parsed<InterfaceSelector>(INTERFACE_WANT, (text) => {
  const refused = INTERFACE_WANT;
  if (text === 'auto') return { value: { by: 'default-route' } };
  if (/^[\d./]+$/.test(text) || text.includes(':')) {
    const given = address().safeParse(text);
    return given.success ? { value: { by: 'address', address: given.data } } : { refused };
  }
  return isInterfaceName(text) ? { value: { by: 'name', name: text } } : { refused };
});

export const INTERFACE_KEYS = ['name', 'address', 'regex', 'canReach'] as const;

const REGEX_WANT = "must be a regular expression such as '^10\\.8\\.'";

const interfaceSection = section({
  name: parsed('must be an interface name such as eth0', namedInterface)
    .optional()
    .describe('The interface with this name.'),
  address: address().optional().describe('The interface that holds this address.'),
  regex: parsed(REGEX_WANT, regularExpression)
    .optional()
    .describe('The first interface whose name or address matches this regular expression.'),
  canReach: address().optional().describe('The interface that packets to this address leave by.'),
});

const host = section({
  interface: z
    .union([interfaceText, interfaceSection], {
      error: `must be auto, an interface name, an address, or a section with ${inWords(INTERFACE_KEYS)}`,
    })
    .prefault('auto')
    .describe(
      'The interface that carries the packets to the other hosts. auto: that of the default route. A name, an address of this host, or a section with one of name, address, regex and canReach.',
    ),
  publicIP: hostAddress('ipv4', 'host.publicIPv6')
    .optional()
    .describe("The address that the other hosts send to. Default: the interface's own."),
  publicIPv6: hostAddress('ipv6', 'host.publicIP')
    .optional()
    .describe("The same in IPv6, for a network with IPv6. Default: the interface's own."),
  subnet: prefix('ipv4', 'host.subnetIPv6')
    .optional()
    .describe("This host's subnet. Left out: the one it had before, else a free one."),
  subnetIPv6: prefix('ipv6', 'host.subnet')
    .optional()
    .describe("This host's IPv6 subnet. Left out: the one it had before, else a free one."),
  renumber: choice(['auto', 'allow', 'never'])
    .default('auto')
    .describe(
      'Whether this host takes another subnet than the one in use; status shows RenumberRequired for 5 s before. auto: where another host holds that one; where the file or the network has changed it waits for apply --allow-renumber. allow: in both cases; never: both wait.',
    ),
});

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

const store = section({
  etcd: etcdSection
    .optional()
    .describe("Hosts find each other in etcd, under the same keys as flannel's. The default."),
  static: staticStore
    .optional()
    .describe(
      'No server: the hosts are written here. Needs network.cidr and host.subnet, or their counterparts in IPv6.',
    ),
});

const WORKERS_WANT = 'must be auto, or 1 to 64';

const dataplane = section({
  workers: z
    .union([z.literal('auto'), integer(1, 64, WORKERS_WANT)], { error: WORKERS_WANT })
    .default('auto')
    .describe(
      'How many threads move packets, each with a queue of the device and a socket of its own; each peer is served by one of them. auto is 1 so far. A change between 1 and more makes the device anew.',
    ),
  sourceCheck: choice(['strict', 'peer', 'off'])
    .default('strict')
    .describe(
      'Which packets are taken from a peer. strict: sent from its public IP, by its subnet or itself; peer: sent from its public IP; off: by anyone, since a flannel host with several addresses may send from another one.',
    ),
  offload: flag()
    .default(true)
    .describe(
      'Whether the kernel is asked to move many packets at once (TSO, USO, UDP_SEGMENT, UDP_GRO). What it refuses is done without either way; false is for finding out whether one of them is to blame.',
    ),
});

const files = section({
  subnetEnv: absolutePath()
    .optional()
    .describe(
      "flannel's environment file: network, subnet, MTU, masquerading. Default: /run/flannel/subnet.env; /run/flannel/networks/NAME.env for an instance with another name than flannel0.",
    ),
  dockerOptions: absolutePath()
    .optional()
    .describe(
      "Docker's environment file, made from the same values. Default: /run/flannel/docker; /run/flannel/networks/NAME.docker for an instance with another name than flannel0.",
    ),
});

const docker = section({
  mode: choice(['options-file', 'daemon-json', 'off'])
    .optional()
    .describe(
      "How Docker learns its bridge's address, MTU and masquerading. options-file: flags in files.dockerOptions, for its unit to read; daemon-json: keys in its own configuration file; off: not from us. Default: options-file; off for an instance with another name than flannel0, since one Docker is in one network.",
    ),
  daemonJson: absolutePath()
    .prefault('/etc/docker/daemon.json')
    .describe(
      "Docker's own configuration file. With daemon-json, bip, ip-masq and mtu are set in it; all else stays.",
    ),
  bridge: parsed('must be an interface name such as docker0', namedInterface)
    .prefault('docker0')
    .describe("Docker's bridge: status and diff say when it is not as the lease wants it."),
  onChange: list(argument())
    .min(1, { error: 'must name a command and its arguments, such as [systemctl, restart, docker]' })
    .optional()
    .describe(
      'A command to run when the bridge is not as the lease wants it: once for each change, at most once a minute. Without a shell. Left out: none.',
    ),
});

const monitoring = section({
  port: integer(1, 65535)
    .optional()
    .describe(
      'TCP port for /metrics, /livez and /readyz. Left out: they are answered on the status socket alone.',
    ),
  address: address()
    .prefault('127.0.0.1')
    .describe('The address to listen on. Whoever reaches it can read them; nothing can be changed there.'),
});

const instance = section({
  name: parsed('must be a name such as flannel0', instanceName)
    .prefault(DEFAULT_INSTANCE.name)
    .describe(
      'Names the device and all that belongs to it. Two networks on one host are two files with two names.',
    ),
  routeProtocol: integer(5, 255)
    .superRefine((number, context) => {
      const owner = ROUTE_PROTOCOLS[number];
      if (owner === undefined) return;
      const message = `must be a number of our own, ${owner}'s routes would be taken for ours`;
      context.addIssue({ code: 'custom', message });
    })
    .default(77)
    .describe('The kernel marks our routes with this number: it is how they are known again.'),
  runtimeDirectory: absolutePath()
    .prefault(DEFAULT_INSTANCE.runtimeDirectory)
    .describe('Holds the status socket.'),
  stateDirectory: absolutePath()
    .prefault('/var/lib/flannelette')
    .describe('Holds what must survive a reboot.'),
});

/** Numbers that others use (linux/rtnetlink.h, RTPROT_*); 0 to 4 are the kernel's and the administrator's. */
const ROUTE_PROTOCOLS: Readonly<Record<number, string>> = {
  8: 'gated',
  9: 'router advertisement',
  10: 'mrt',
  11: 'zebra',
  12: 'bird',
  13: 'dnrouted',
  14: 'xorp',
  15: 'netsukuku',
  16: 'dhcp',
  17: 'mrouted',
  18: 'keepalived',
  42: 'babel',
  84: 'ovn',
  99: 'openr',
  186: 'bgp',
  187: 'is-is',
  188: 'ospf',
  189: 'rip',
  192: 'eigrp',
};

/** The name is also an nft table's and the end of a chain's, which are stricter than the kernel is with devices. */
function instanceName(text: string): { readonly value: string } | { readonly refused: string } {
  if (!/^[A-Za-z][\w.-]{0,14}$/.test(text)) {
    const refused = 'must be 1 to 15 letters, digits, dots, dashes or underscores, a letter first';
    return { refused };
  }
  // net.ipv4.conf.all and .default are not devices.
  const taken = ['all', 'default', 'lo'].includes(text);
  return taken ? { refused: 'must not be a name that the kernel uses itself' } : { value: text };
}

function regularExpression(text: string): { readonly value: string } | { readonly refused: string } {
  try {
    new RegExp(text);
    return text === '' ? { refused: 'must not be empty' } : { value: text };
  } catch {
    return { refused: REGEX_WANT };
  }
}

const variableName = () =>
  parsed('must be the name of a variable, such as HOST_IP', (text) =>
    VARIABLE_NAME.test(text)
      ? { value: text }
      : { refused: 'must be the name of a variable, such as HOST_IP' },
  );

export const configSchema = section({
  apiVersion: z
    .literal('flannelette/v1', { error: 'must be flannelette/v1' })
    .default('flannelette/v1')
    .describe("Version of this file's format."),
  environment: list(variableName())
    .default([])
    .describe(
      `Variables of the environment whose value may stand in this file: \${NAME} in any value becomes that of a NAME in this list. Nothing else is expanded.`,
    ),
  network: network.prefault({}).describe('The container network.'),
  host: host.prefault({}).describe('This host in the network.'),
  store: store.prefault({}).describe('Where the hosts learn of each other: etcd or static.'),
  dataplane: dataplane.prefault({}).describe('How packets are carried between the device and the peers.'),
  files: files.prefault({}).describe('What is written for Docker and others.'),
  docker: docker.prefault({}).describe('Docker on this host: what it is told, and how it is watched.'),
  monitoring: monitoring.prefault({}).describe('What monitoring may ask, and where.'),
  instance: instance.prefault({}).describe('Names and marks of what belongs to this network on this host.'),
});

/** The file's values: parsed one by one, not yet compared with each other. */
export type FileValues = z.output<typeof configSchema>;

/** What the file says of a host, of this one and of each peer. */
export type HostFields = NonNullable<FileValues['store']['static']>['peers'][number];
