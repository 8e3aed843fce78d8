/**
 * What `doctor` can find, in the order in which it looks: from the process outwards to the packets of others. The codes
 * are stable; docs/doctor.md has a section for each.
 */

export type Severity = 'error' | 'warning';

interface Ailment {
  /** `error`: packets do not flow, or will not after the next start. `warning`: they flow, and something is at risk. */
  readonly severity: Severity;
  /** What it does to the operator. */
  readonly impact: string;
}

const error = (impact: string): Ailment => ({ severity: 'error', impact });
const warning = (impact: string): Ailment => ({ severity: 'warning', impact });

export const AILMENTS = {
  NoNetAdmin: error('nothing of this host can be changed, and half of it cannot be looked at'),
  NoTunDevice: error('the device of backend udp cannot be made'),
  SecretExposed: warning('every user of this host can read what opens etcd'),
  DirectoryReadOnly: error('files for Docker, or what must survive a restart, are not written'),
  ClockOff: warning('certificates are judged by a wrong date, and times in log and status mislead'),
  EtcdUnavailable: error('no host is learned of and no lease refreshed; what is known goes on'),
  EtcdAuth: error('etcd refuses this host: no host is learned of and no lease refreshed'),
  EtcdTls: error('etcd cannot be trusted, so it is not asked'),
  EtcdAlarm: error('etcd takes no writes: leases cannot be taken'),
  EtcdSlow: warning('changes of the network arrive late, and calls may time out'),
  NetworkMissing: error('there is no network to join'),
  NetworkInvalid: error('the network in etcd cannot be read: nothing is changed until it can'),
  NetworkConflict: error('this host wants another network than the others have'),
  LeasesSetAside: warning('the hosts of these entries are not reached'),
  DuplicatePublicIp: error('two subnets lead to one address: the packets of one of them are lost'),
  SubnetTaken: error('this host cannot have the subnet that its file pins'),
  RenumberRequired: error('this host waits for a yes before it takes another subnet'),
  InterfaceUnusable: error('there is no interface to send to the other hosts by'),
  ForwardingOff: error('the kernel drops what comes from containers and what is for them'),
  Ipv6Disabled: error('the IPv6 part of the network carries nothing'),
  ReversePathFilter: error('packets of hosts that are answered by another interface are dropped, silently'),
  PeerUnroutable: error('packets to these hosts are refused on this one'),
  OverlappingRoute: error('packets to some containers leave by another way'),
  OverlappingAddress: error('this host takes a part of the container network for its own link'),
  PolicyRule: error('packets to containers of other hosts leave by another routing table'),
  PortTaken: error('the daemon cannot listen: nothing comes in'),
  PortBlocked: error('the packets between the hosts are dropped by a firewall of this one'),
  ForwardDenied: error('the packets of containers are dropped by a firewall while they are forwarded'),
  MtuBlackHole: error('small packets pass and large ones vanish: connections open and then hang'),
  ChecksumErrors: warning('the kernel drops datagrams of other hosts for their checksum'),
  DockerOutOfStep: error('containers get addresses or packet sizes that do not fit the network'),
  MasqueradedTwice: warning("containers of other hosts see this host's address in place of the container's"),
  DockerFirewall: error('containers of other hosts reach none of the ports of containers here'),
  ForeignObject: error('something of ours cannot be made, because something else has its place'),
  NotAsWanted: error('an object of the network is missing or other than the file says'),
  DaemonNotRunning: error('nothing is kept true, and the lease is not refreshed'),
} as const satisfies Record<string, Ailment>;

export type DoctorCode = keyof typeof AILMENTS;

export const DOCTOR_CODES = Object.keys(AILMENTS) as readonly DoctorCode[];

/** What cures it: a line for a shell of root, on this host unless `on` names another; or, where there is none, words. */
export type Remedy = { readonly run: string; readonly on?: string } | { readonly advice: string };

export interface Finding {
  readonly code: DoctorCode;
  /** What was seen, with names and numbers. */
  readonly detail: string;
  /** In order; all of them are needed. */
  readonly remedy: readonly Remedy[];
  /** The remedy changes nothing but a setting of this host that has to be so: `--fix` may carry it out. */
  readonly isSafe?: true;
}

/** A text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
