/**
 * What a host must look like when all is well, written out by hand: told from what stands in etcd and in the host's
 * file, without the program's own idea of it.
 */
import { NETWORK, type Settings } from './settings.js';

/** A lease as it stands in etcd, read by the rules of docs/flannel-compatibility.md as far as the simulation goes. */
export interface HeldSubnet {
  /** `10.5.34.0/24`. */
  readonly subnet: string;
  readonly publicIp: string;
  readonly createRevision: bigint;
  /** The etcd lease that it hangs on. */
  readonly lease: string;
}

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: bigint;
  readonly lease: string;
}

/** The leases that count: whole, of the udp backend, with an address that a host can have. No two overlap, since all are /24. */
export function heldSubnets(entries: readonly Entry[]): readonly HeldSubnet[] {
  return entries.flatMap(({ key, value, createRevision, lease }) => {
    const [, base] = /^subnets\/(10\.5\.\d{1,3}\.0)-24$/.exec(key) ?? [];
    const publicIp = publicIpOf(value);
    if (base === undefined || publicIp === undefined) return [];
    return [{ subnet: `${base}/24`, publicIp, createRevision, lease }];
  });
}

function publicIpOf(value: string): string | undefined {
  try {
    const { PublicIP: publicIp, BackendType: backendType = '' } = JSON.parse(value) ?? {};
    // Every host of the simulation, and every one that somebody makes up, is in this network.
    return backendType === '' && /^10\.8\.\d{1,3}\.\d{1,3}$/.test(publicIp) ? publicIp : undefined;
  } catch {
    return undefined;
  }
}

/** The lines of what is ours on a host that holds `subnet`; its underlay has 1,500 bytes. */
export function expectedLines(subnet: string, { ipMasq, mtu: given }: Settings): readonly string[] {
  const mtu = given === 'auto' ? 1472 : given;
  const base = subnet.replace('.0/24', '');
  const env = [
    `FLANNEL_NETWORK=${NETWORK}`,
    `FLANNEL_SUBNET=${base}.1/24`,
    `FLANNEL_MTU=${mtu}`,
    `FLANNEL_IPMASQ=${ipMasq}`,
    '',
  ];
  const docker = [
    `DOCKER_OPT_BIP="--bip=${base}.1/24"`,
    `DOCKER_OPT_IPMASQ="--ip-masq=${!ipMasq}"`,
    `DOCKER_OPT_MTU="--mtu=${mtu}"`,
    `DOCKER_NETWORK_OPTIONS=" --bip=${base}.1/24 --ip-masq=${!ipMasq} --mtu=${mtu}"`,
    '',
  ];
  return [
    `address ${base}.0/32 dev flannel0 scope global`,
    `chain ipv4 FLANNEL-FWD accepts ${NETWORK}`,
    'chain ipv4 FLANNEL-FWD by flannelette',
    'chain ipv4 FLANNEL-FWD jump by flannelette',
    `file /run/flannel/docker 0644 ${JSON.stringify(docker.join('\n'))}`,
    `file /run/flannel/subnet.env 0644 ${JSON.stringify(env.join('\n'))}`,
    `link flannel0 tun mtu ${mtu} up alias "flannelette flannel0"`,
    `route ${NETWORK} dev flannel0 proto 77`,
    'sysctl net.ipv4.conf.all.forwarding = 1',
    'sysctl net.ipv4.conf.flannel0.accept_local = 1',
    ...(ipMasq ? masqueradeLines(subnet) : []),
  ].sort();
}

/** flannel's rules (pkg/trafficmngr/iptables), in the words of FakeFirewall. */
function masqueradeLines(subnet: string): readonly string[] {
  const is = (prefix: string) => `{"prefix":"${prefix}","negated":false}`;
  const isNot = (prefix: string) => `{"prefix":"${prefix}","negated":true}`;
  const rules = [
    '"mark":{"value":16384,"mask":16384},"verdict":"return"',
    `"source":${is(subnet)},"destination":${is(NETWORK)},"verdict":"return"`,
    `"source":${is(NETWORK)},"destination":${is(subnet)},"verdict":"return"`,
    `"source":${isNot(NETWORK)},"destination":${is(subnet)},"verdict":"return"`,
    `"source":${is(NETWORK)},"destination":${isNot('224.0.0.0/4')},"verdict":"masquerade"`,
    `"source":${isNot(NETWORK)},"destination":${is(NETWORK)},"verdict":"masquerade"`,
  ];
  const table = 'table ipv4 flannelette-flannel0';
  return [table, ...rules.map((rule, index) => `${table} rule ${index + 1} {${rule}}`)];
}
