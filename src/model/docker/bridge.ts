/** Docker's bridge and what its firewall does, held against what the lease says. Decides only; Docker's own is never touched. */
import { lengthOf } from '../address.js';
import type { ForeignConflict } from '../plan.js';
import type { DesiredDocker } from './desired-docker.js';

export interface FoundDockerBridge {
  /** IPv4, each with its length. */
  readonly addresses: readonly string[];
  /** Bytes; absent while no container is on the bridge: until then dockerd 20.10 leaves it at the kernel's own 1500. */
  readonly mtu?: number;
  readonly firewall: BridgeFirewall | { readonly unreadable: string };
}

/** What is done to the packets of a bridge, read from rules alone. */
export interface BridgeFirewall {
  /** A rule of Docker's masquerades what leaves the subnet. */
  readonly masquerades: boolean;
  /** What stops packets of other hosts on their way to the bridge. */
  readonly drops: readonly BridgeDrop[];
}

export interface BridgeDrop {
  /** Where: before routing, where nobody can make an exception, or while forwarding. */
  readonly at: 'prerouting' | 'forward';
  /** As its program prints it. */
  readonly rule: string;
  /** Whose: the remedies differ. */
  readonly by: 'iptables' | 'nftables';
}

/** What to tell the operator; nothing when all is as it must be. None of it blocks us. */
export function bridgeComplaints(
  want: DesiredDocker,
  found: FoundDockerBridge,
  key: ForeignConflict['key'],
): readonly ForeignConflict[] {
  const options = optionsComplaint(want, found);
  const firewall = firewallComplaint(want, found);
  return [
    ...(options === undefined ? [] : [{ key, reason: options, blocks: false }]),
    ...(firewall === undefined ? [] : [{ key: `${key} firewall` as const, reason: firewall, blocks: false }]),
  ];
}

function optionsComplaint(want: DesiredDocker, found: FoundDockerBridge): string | undefined {
  const { bridge, subnet, mtu, source } = want;
  const remedy = `restart docker with ${source}`;
  const address = `${want.address}/${lengthOf(subnet)}`;
  const reasons: string[] = [];
  const holds = found.addresses.includes(address);
  if (!holds)
    reasons.push(`${bridge} has ${found.addresses.join(' and ') || 'no address'}, the lease says ${address}`);
  if (found.mtu !== undefined && found.mtu !== mtu) {
    reasons.push(`${bridge} has MTU ${found.mtu}, the network has ${mtu}`);
  }
  // Which subnet Docker masquerades says nothing while it has another one.
  const masquerading = holds ? masqueradeComplaint(want, found.firewall) : undefined;
  if (masquerading !== undefined) reasons.push(masquerading);
  return reasons.length === 0 ? undefined : `${reasons.join('; ')}: ${remedy}`;
}

function masqueradeComplaint(
  { bridge, subnet, masquerade }: DesiredDocker,
  firewall: FoundDockerBridge['firewall'],
): string | undefined {
  if ('unreadable' in firewall || firewall.masquerades === masquerade) return undefined;
  if (masquerade) return `nobody masquerades ${subnet}: docker should, since network.ipMasq is false`;
  // With --live-restore and running containers, dockerd leaves the rule of the last run where it is.
  const rule = `-s ${subnet} ! -o ${bridge} -j MASQUERADE`;
  return `docker masquerades ${subnet} as well as this host (a rule that outlives the restart goes by iptables -t nat -D POSTROUTING ${rule})`;
}

function firewallComplaint(want: DesiredDocker, { firewall }: FoundDockerBridge): string | undefined {
  if ('unreadable' in firewall) return `cannot tell what becomes of its packets: ${firewall.unreadable}`;
  if (firewall.drops.length === 0) return undefined;
  const rules = firewall.drops.map(({ rule }) => rule);
  const shown =
    rules.length > SHOWN_RULES
      ? [...rules.slice(0, SHOWN_RULES), `${rules.length - SHOWN_RULES} more`]
      : rules;
  const remedies = new Set(firewall.drops.map((drop) => dropRemedy(want, drop)));
  return `packets of other hosts are dropped by ${shown.join('; ')}: ${[...remedies].join('; ')}`;
}

const SHOWN_RULES = 2;

/** Docker 28 and newer let nobody reach a container's own address from outside the host, published port or not, unless told. */
function dropRemedy({ devices, subnet }: DesiredDocker, { at, by }: BridgeDrop): string {
  const trusted = `com.docker.network.bridge.trusted_host_interfaces=${devices.join(':')}`;
  const unprotected = 'com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected';
  if (at === 'prerouting') {
    return `start docker with --allow-direct-routing, or give a network of its own the option ${trusted}`;
  }
  const ahead = by === 'iptables' ? `iptables -I DOCKER-USER -d ${subnet} -j ACCEPT, or ` : '';
  return `for ports that are not published, ${ahead}a network of its own with ${unprotected}`;
}
