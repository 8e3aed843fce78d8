/** The YAML file's shape: every key, its default and what it means. The reference page is made from it. */
import { z } from 'zod';
import { VARIABLE_NAME } from './expansion.js';
import {
  absolutePath,
  address,
  argument,
  choice,
  flag,
  integer,
  interfaceName,
  list,
  parsed,
  section,
} from './fields.js';
import { hostSection } from './host-section.js';
import { instanceSection } from './instance-section.js';
import { networkSection } from './network-section.js';
import { storeSection } from './store-section.js';

const WORKERS_WANT = 'must be auto, or 1 to 64';
const FAST_PATH_WANT = 'must be auto, true or false';

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
  fastPath: z
    .union([z.literal('auto'), flag()], { error: FAST_PATH_WANT })
    .default('auto')
    .describe(
      "Whether the kernel itself carries packets that need nothing special (eBPF, Linux 6.6 or later), in the same format: a ping takes a sixth of the time. Rules of the host's own firewall for the datagrams between hosts (INPUT and OUTPUT) do not see those: auto leaves it where there are any, and with offload: false; true does not look. Where the kernel refuses, the packet loop carries all.",
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
  bridge: interfaceName('docker0')
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
  network: networkSection.prefault({}).describe('The container network.'),
  host: hostSection.prefault({}).describe('This host in the network.'),
  store: storeSection.prefault({}).describe('Where the hosts learn of each other: etcd or static.'),
  dataplane: dataplane.prefault({}).describe('How packets are carried between the device and the peers.'),
  files: files.prefault({}).describe('What is written for Docker and others.'),
  docker: docker.prefault({}).describe('Docker on this host: what it is told, and how it is watched.'),
  monitoring: monitoring.prefault({}).describe('What monitoring may ask, and where.'),
  instance: instanceSection
    .prefault({})
    .describe('Names and marks of what belongs to this network on this host.'),
});

/** The file's values: parsed one by one, not yet compared with each other. */
export type FileValues = z.output<typeof configSchema>;

/** What the file says of a host, of this one and of each peer. */
export type HostFields = NonNullable<FileValues['store']['static']>['peers'][number];
