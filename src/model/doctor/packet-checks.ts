/** What `doctor` looks for on the way of the packets: ports, firewalls, packet sizes, checksums. */
import { type Address, addressAt } from '../address.js';
import { counted } from '../counted.js';
import { type DesiredState, isDecided } from '../desired.js';
import type { DoctorFacts } from './facts.js';
import type { Finding, Remedy } from './finding.js';
import { shellWord } from './finding.js';
import { iptablesDrop } from './iptables-way.js';
import { nftDrop } from './nft-way.js';
import type { FirewallDrop, FirewallFacts, KnownPacket } from './packet-way.js';
import { otherSubnets } from './store-checks.js';

/** The UDP port that the other hosts send to; undefined for a backend without one. */
export function backendPort({ network: { backend } }: Pick<DesiredState, 'network'>): number | undefined {
  const { port } = backend;
  // vxlan's 0 is the kernel's own default (net/vxlan.h).
  if (typeof port === 'number') return port === 0 ? LINUX_VXLAN_PORT : port;
  return undefined;
}

const LINUX_VXLAN_PORT = 8472;

export function portFindings({ state, listener, daemon }: DoctorFacts): readonly Finding[] {
  if (state === undefined || !isDecided(state) || listener === undefined) return [];
  const { pid, program } = listener;
  if (daemon !== undefined && (pid === undefined || pid === daemon.pid)) return [];
  const port = backendPort(state);
  const who =
    pid === undefined ? 'the kernel or a process that cannot be seen' : `${program} (process ${pid})`;
  const remedy: Remedy =
    pid === undefined ? { advice: `ip -details link show type vxlan` } : { run: `kill ${pid}` };
  return [{ code: 'PortTaken', detail: `UDP port ${port} is in use by ${who}`, remedy: [remedy] }];
}

/** Somebody who is not there yet: an address of the network that documentation may use (RFC 5737). */
const SOMEBODY = '192.0.2.1' as Address;

export function blockedPortFindings(facts: DoctorFacts): readonly Finding[] {
  const { state, firewall } = facts;
  if (state === undefined || !isDecided(state) || firewall === undefined) return [];
  const port = backendPort(state);
  const own = state.publicIps.ipv4;
  if (port === undefined || own === undefined) return [];
  const link = facts.kernel?.addresses.find(({ address }) => address === own)?.link ?? 'eth0';
  const [peer = SOMEBODY] = otherSubnets(facts).map(({ publicIp }) => publicIp);
  const udp = { protocol: 'udp', port } as const;
  const ways = [
    { packet: { hook: 'input', in: link, source: peer, destination: own, ...udp }, what: 'what comes in' },
    { packet: { hook: 'output', out: link, source: own, destination: peer, ...udp }, what: 'what goes out' },
  ] as const;
  return ways.flatMap(({ packet, what }) =>
    dropsOf(firewall, packet).map(
      (drop): Finding => ({
        code: 'PortBlocked',
        detail: `UDP port ${port}, ${what}: dropped by ${drop.rule}`,
        remedy: [{ run: accept(drop, { iptables: `-p udp --dport ${port}`, nft: `udp dport ${port}` }) }],
      }),
    ),
  );
}

export function forwardFindings(facts: DoctorFacts): readonly Finding[] {
  const { state, firewall, config } = facts;
  if (state === undefined || !isDecided(state) || firewall === undefined) return [];
  const [subnet, network] = [state.subnets.ipv4, state.networks.find((prefix) => !prefix.includes(':'))];
  const [device] = state.devices;
  if (subnet === undefined || network === undefined || device === undefined) return [];
  const other = otherSubnets(facts).find((peer) => !peer.subnet.includes(':'))?.subnet;
  const [here, there] = [addressAt(subnet, 2), other === undefined ? SOMEBODY : addressAt(other, 2)];
  const tcp = { hook: 'forward', protocol: 'tcp', port: 80 } as const;
  const { bridge } = config.docker;
  const ways = [
    {
      packet: { ...tcp, in: bridge, out: device, source: here, destination: there },
      iptables: '-s',
      nft: 'saddr',
    },
    {
      packet: { ...tcp, in: device, out: bridge, source: there, destination: here },
      iptables: '-d',
      nft: 'daddr',
    },
  ] as const;
  return ways.flatMap(({ packet, iptables, nft }) =>
    dropsOf(firewall, packet)
      // Docker's own chains are told of by DockerFirewall.
      .filter(({ rule }) => !/-A DOCKER(?!-USER)/.test(rule))
      .map(
        (drop): Finding => ({
          code: 'ForwardDenied',
          detail: `from ${packet.in} to ${packet.out}: dropped by ${drop.rule}`,
          remedy: [
            { run: accept(drop, { iptables: `${iptables} ${network}`, nft: `ip ${nft} ${network}` }) },
          ],
        }),
      ),
  );
}

/** At most one of each rule set. */
function dropsOf({ iptables, nft }: FirewallFacts, packet: KnownPacket): readonly FirewallDrop[] {
  return [
    ...iptables.flatMap(({ program, saved }) => iptablesDrop(program, saved, packet) ?? []),
    ...(nft === undefined ? [] : [nftDrop(nft, packet)]),
  ].filter((drop) => drop !== undefined);
}

/** First of all in the chain that the drop is under. */
function accept({ base }: FirewallDrop, match: { readonly iptables: string; readonly nft: string }): string {
  if ('table' in base)
    return `nft insert rule ${base.family} ${shellWord(base.table)} ${shellWord(base.chain)} ${match.nft} accept`;
  return `${base.program} -I ${base.chain} ${match.iptables} -j ACCEPT`;
}

export function pathFindings(facts: DoctorFacts): readonly Finding[] {
  const { paths, kernel, state } = facts;
  if (paths === undefined || state === undefined || !isDecided(state)) return [];
  const own = state.publicIps.ipv4;
  const link = kernel?.addresses.find(({ address }) => address === own)?.link;
  const holes = paths.flatMap(({ to, passes, tried }) =>
    passes !== undefined && passes < tried ? [{ to, passes, tried }] : [],
  );
  const [worst] = holes.toSorted((left, right) => left.passes - right.passes);
  if (worst === undefined || link === undefined) return [];
  const hosts = holes.map(({ to }) => to).join(', ');
  return [
    {
      code: 'MtuBlackHole',
      detail: `${link} sends packets of ${worst.tried} bytes, and on the way to ${hosts} only ${worst.passes} pass, without a word`,
      remedy: [{ run: `ip link set dev ${shellWord(link)} mtu ${worst.passes}` }],
    },
  ];
}

export function checksumFindings({ checksumErrors = 0 }: DoctorFacts): readonly Finding[] {
  if (checksumErrors === 0) return [];
  const advice =
    "on the hosts that send to this one: ethtool -K DEVICE tx off, with their own interface, or flannel.1 where backend vxlan's packets are masqueraded";
  const detail = `${counted(checksumErrors, 'datagram')} dropped for a wrong checksum while this was looked at`;
  return [{ code: 'ChecksumErrors', detail, remedy: [{ advice }] }];
}
